export type DiscoveryErrorCode =
  | 'closed'
  | 'different-network'
  | 'peer-book'
  | 'protocol'
  | 'refused'
  | 'timeout'
  | 'unreachable';

/** What went wrong while finding peers. `closeCode` is the application code when a connection ended with one. */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError';
  readonly code: DiscoveryErrorCode;
  readonly closeCode: number | undefined;

  constructor(
    code: DiscoveryErrorCode,
    message: string,
    options: { closeCode?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.closeCode = options.closeCode;
  }
}
