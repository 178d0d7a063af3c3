export type HandshakeErrorCode =
  /** The caller's signal aborted. */
  | 'cancelled'
  /** The channel ended or failed before the handshake was done; `closeCode` is the peer's, when it told one. */
  | 'closed'
  | 'different-network'
  | 'group-not-found'
  /** A frame that is no handshake, or a handshake with oneself. */
  | 'invalid-handshake'
  | 'invalid-proof'
  /** `admit` refused the peer; `closeCode` is the one it chose. */
  | 'not-admitted'
  | 'timeout'
  /** A frame above the handshake's limit. */
  | 'too-large';

export interface HandshakeErrorOptions {
  closeCode: number;
  /** True when the other side ended the handshake. */
  remote?: boolean;
  cause?: unknown;
}

/** Why no bond came of a channel. The channel was closed with `closeCode` (by the peer when `remote`). */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
  readonly code: HandshakeErrorCode;
  readonly closeCode: number;
  readonly remote: boolean;

  constructor(code: HandshakeErrorCode, message: string, options: HandshakeErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.closeCode = options.closeCode;
    this.remote = options.remote ?? false;
  }
}
