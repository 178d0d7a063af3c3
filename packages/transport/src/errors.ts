export type TransportErrorCode =
  | 'address-in-use'
  | 'address-invalid'
  | 'alpn'
  | 'bind-failed'
  | 'certificate'
  | 'closed'
  | 'overloaded'
  | 'peer-mismatch'
  | 'refused'
  | 'timeout'
  | 'too-large'
  | 'unavailable';

/** What went wrong below the protocols. `closeCode` is the application code when a connection ended with one. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;
  readonly closeCode: number | undefined;

  constructor(
    code: TransportErrorCode,
    message: string,
    options: { closeCode?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.closeCode = options.closeCode;
  }
}
