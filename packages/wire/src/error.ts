export type WireErrorCode =
  | 'invalid-value'
  | 'limit'
  | 'non-canonical'
  | 'out-of-range'
  | 'too-short'
  | 'trailing-bytes'
  | 'unknown-variant'
  | 'utf8';

/**
 * Bytes, or a value, that a codec refuses.
 *
 * `offset` is where in the input the refused item starts (0 when encoding); `path` names it, as in
 * `SignedPeerEntry.entry.tickets[3].data`.
 */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: WireErrorCode;
  readonly offset: number;
  readonly #problem: string;
  #path = '';

  constructor(code: WireErrorCode, offset: number, problem: string) {
    super(`${problem} at byte ${offset}`);
    this.code = code;
    this.offset = offset;
    this.#problem = problem;
  }

  get path(): string {
    return this.#path;
  }

  /** Puts one more step in front of the path, on the way out of a nested codec. */
  prepend(step: string): this {
    this.#path =
      this.#path === '' || this.#path.startsWith('[') ? step + this.#path : `${step}.${this.#path}`;
    this.message = `${this.#path}: ${this.#problem} at byte ${this.offset}`;
    return this;
  }
}
