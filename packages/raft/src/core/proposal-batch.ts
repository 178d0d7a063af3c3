import type { UniqueId } from '@mosaik/wire';
import { COMMAND_OVERHEAD_BYTES } from './log.ts';

/** Proposals of one session that follow each other; each is one run of commands. */
export interface ProposalBatch {
  readonly session: number;
  /** They number from here: their sequences in the session. */
  readonly first: number;
  readonly ackedBelow: number;
  /** Those that came with a key, by their place in the batch, ascending. */
  readonly keys: { at: number; key: UniqueId }[];
  readonly proposals: Uint8Array[][];
}

/** Some of a batch, from `start` to before `end`. */
export function part(batch: ProposalBatch, start: number, end: number): ProposalBatch {
  if (start === 0 && end === batch.proposals.length) return batch;
  return {
    session: batch.session,
    first: batch.first + start,
    ackedBelow: batch.ackedBelow,
    keys: batch.keys
      .filter(({ at }) => at >= start && at < end)
      .map(({ at, key }) => ({ at: at - start, key })),
    proposals: batch.proposals.slice(start, end),
  };
}

/** What all commands of a batch weigh. */
export function batchBytes({ proposals }: Pick<ProposalBatch, 'proposals'>): number {
  let bytes = 0;
  for (const run of proposals) bytes += runBytes(run);
  return bytes;
}

/** What the commands of a run weigh. */
export function runBytes(run: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const command of run) bytes += command.length + COMMAND_OVERHEAD_BYTES;
  return bytes;
}
