export type BondErrorCode =
  /** The acceptor or manager is closed. */
  | 'closed'
  /** A manager of this group is registered already. */
  | 'duplicate-group';

/** What the bonds layer refuses its caller. A peer's faults never surface here: they close connections. */
export class BondError extends Error {
  override readonly name = 'BondError';
  readonly code: BondErrorCode;

  constructor(code: BondErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
