import { RaftError } from '../errors.ts';

/** A file that does not hold what was written: nothing is begun anew over it. `offset`: where it stops being right. */
export function damaged(file: string, offset: number, problem: string): RaftError {
  return new RaftError('storage-damaged', `${file} is damaged at byte ${offset}: ${problem}`, {
    file,
    offset,
  });
}

/** What the system refused. */
export function failed(what: string, cause: unknown): RaftError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RaftError('storage-failed', `${what}: ${reason}`, { cause });
}

/** Whether there is no room: it may come back. */
export function isFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
