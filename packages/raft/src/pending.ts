import type { RaftEpoch, UniqueId } from '@mosaik/wire';
import { RaftError } from './errors.ts';

/** One call of `execute…` or `feed…` that has no answer yet. One object for each: there are very many of them. */
export interface PendingCall<O> {
  readonly commands: Uint8Array[];
  /** What the caller gave, for the error that says it was not sent. */
  readonly given: readonly unknown[];
  /** Answered when the commands have their place, not when they are applied. */
  readonly feed: boolean;
  readonly key: UniqueId | undefined;
  readonly deadlineMs: number;
  /** What to resolve with, once it is done. */
  answer(call: PendingCall<O>): unknown;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  settled: boolean;
  /** Its sequence in the member's session; 0 before it is sent. */
  number: number;
  /** The epoch whose leader has it, `next` if that is not known yet; undefined while it is to be sent, or sent again. */
  epoch: RaftEpoch | 'next' | undefined;
  /** It was sent and nothing said that it was not appended: it may be in the log. */
  doubtful: boolean;
  /** Index of its first entry. */
  from: number;
  /** Of its only command. */
  output: O | undefined;
  /** Of several commands, those that are applied. */
  readonly outputs: O[] | undefined;
}

export function uncertain(why: string): RaftError {
  return new RaftError('unknown-outcome', `${why}: the command may still commit`);
}
