/** Why a call on a group's log failed. Every code but `unknown-outcome` means: nothing was, or will be, committed. */
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
  /** The state machine threw: the member stopped. */
  | 'apply-failed'
  /** A query's time is over; it changed nothing. */
  | 'timeout'
  | 'change-in-progress'
  | 'not-a-voter';

export class RaftError extends Error {
  override readonly name = 'RaftError';
  readonly code: RaftErrorCode;
  /** With `offline`: what was not sent. */
  readonly commands: readonly unknown[] | undefined;

  constructor(
    code: RaftErrorCode,
    message: string,
    options: { cause?: unknown; commands?: readonly unknown[] | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.commands = options.commands;
  }
}
