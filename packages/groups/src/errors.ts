import { RaftError } from '@mosaik/raft';

export type GroupErrorCode =
  | 'apply-failed'
  | 'change-in-progress'
  | 'encoding'
  | 'key-reused'
  | 'no-commands'
  | 'no-quorum'
  | 'not-a-voter'
  | 'offline'
  | 'overloaded'
  | 'terminated'
  | 'timeout'
  | 'too-large'
  | 'unknown-outcome';

/**
 * Why a call on a group failed. Every code but `unknown-outcome` means that nothing was or will be committed.
 *
 * `offline` carries the `commands` that were not sent; `timeout` is only for waits that change nothing (`when.*`).
 */
export class GroupError extends Error {
  override readonly name = 'GroupError';
  readonly code: GroupErrorCode;
  readonly commands: readonly unknown[] | undefined;

  constructor(
    code: GroupErrorCode,
    message: string,
    options: { cause?: unknown; commands?: readonly unknown[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.commands = options.commands;
  }
}

/** Says what the layers below threw in the words of a group; `commands` are those of the call that failed. */
export function toGroupError(error: unknown, commands?: readonly unknown[]): unknown {
  if (!(error instanceof RaftError)) return error;
  const unsent = error.code === 'offline' && commands ? { commands } : {};
  return new GroupError(codeOf(error), error.message, { cause: error, ...unsent });
}

/** A store that can not be used ends the member. */
function codeOf({ code }: RaftError): GroupErrorCode {
  switch (code) {
    case 'storage-damaged':
    case 'storage-failed':
    case 'storage-in-use':
      return 'terminated';
    default:
      return code;
  }
}
