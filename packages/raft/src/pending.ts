import type { RaftEpoch, UniqueId } from '@mosaik/wire';
import { RaftError } from './errors.ts';

/** What a caller asked for. */
export interface CallInit<O> {
  readonly commands: Uint8Array[];
  /** What the caller gave, for the error that says it was not sent. */
  readonly given: readonly unknown[];
  /** Answered when the commands have their place, not when they are applied. */
  readonly feed: boolean;
  readonly key: UniqueId | undefined;
  readonly deadlineMs: number;
  resolve(call: PendingCall<O>): void;
  reject(error: unknown): void;
}

/** One call of `execute…` or `feed…` that has no answer yet. */
export interface PendingCall<O> extends CallInit<O> {
  settled: boolean;
  /** Its sequence in the member's session; 0 before it is sent. */
  number: number;
  /** The epoch whose leader has it; undefined while it is to be sent, or sent again. */
  epoch: RaftEpoch | undefined;
  /** It was sent and nothing said that it was not appended: it may be in the log. */
  doubtful: boolean;
  /** Index of its first entry. */
  from: number;
  readonly outputs: O[];
}

export function uncertain(why: string): RaftError {
  return new RaftError('unknown-outcome', `${why}: the command may still commit`);
}
