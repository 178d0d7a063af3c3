/**
 * Why a call on a group's log failed. Every code but `unknown-outcome` and `apply-failed` means: nothing was, or will be,
 * committed.
 */
export type RaftErrorCode =
  /** No leader is known, or the one asked refused: nothing was appended. */
  | 'offline'
  /** Sent or appended, then no answer: it may still commit. */
  | 'unknown-outcome'
  | 'no-commands'
  /** Above `maxCommandBytes` of the consensus configuration. */
  | 'too-large'
  /** A bounded queue is full: try again later. */
  | 'overloaded'
  /** The leader cannot reach a majority of the set in force. */
  | 'no-quorum'
  /** The member stopped: closed, diverged or failed. */
  | 'terminated'
  /** A codec of the state machine refused a value. */
  | 'encoding'
  /** The state machine threw at this very command, which is committed: the member stopped. */
  | 'apply-failed'
  /** A query's time is over; it changed nothing. */
  | 'timeout'
  /** An idempotency key stands for another command than this one, which was not applied. */
  | 'key-reused'
  | 'change-in-progress'
  | 'not-a-voter'
  /** A log store does not hold what was written to it: `file` and `offset` say where. */
  | 'storage-damaged'
  /** Reading or writing a log store failed for good: the member stopped. */
  | 'storage-failed'
  /** Another process, or another member, uses this log store, or it belongs to another group. */
  | 'storage-in-use';

export class RaftError extends Error {
  override readonly name = 'RaftError';
  readonly code: RaftErrorCode;
  /** With `offline`: what was not sent. */
  readonly commands: readonly unknown[] | undefined;
  /** With `storage-damaged`: which file, and from which byte on. */
  readonly file: string | undefined;
  readonly offset: number | undefined;

  constructor(
    code: RaftErrorCode,
    message: string,
    options: {
      cause?: unknown;
      commands?: readonly unknown[] | undefined;
      file?: string | undefined;
      offset?: number | undefined;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.commands = options.commands;
    this.file = options.file;
    this.offset = options.offset;
  }
}

/** What a call rejects with: `error`, or the same in other words. `commands` are those of the call. */
export type ToError = (error: unknown, commands?: readonly unknown[]) => unknown;
