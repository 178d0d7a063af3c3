import { isId } from '@mosaik/wire';
import { scrypt } from '@noble/hashes/scrypt.js';
import { hexToBytes, randomBytes } from '@noble/hashes/utils.js';

/** scrypt (RFC 7914) with 128 MiB of memory, about half a second. Fixed: every member must derive the same key. */
const PASSPHRASE_SCRYPT = { N: 2 ** 17, r: 8, p: 1, dkLen: 32 } as const;
const PASSPHRASE_SALT = 'mosaik/group-key/1';

/**
 * The 32-byte secret that the members of a group share. Knowing it is what admits a node.
 *
 * Never a string: printed, inspected or serialised it shows as redacted.
 */
export class GroupKey {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A fresh key from the host's secure randomness. */
  static generate(): GroupKey {
    return new GroupKey(randomBytes(32));
  }

  /**
   * Takes 32 bytes (copied) or 64 hex digits.
   *
   * @throws TypeError for anything else; the message never repeats the value.
   */
  static from(secret: Uint8Array | string): GroupKey {
    if (typeof secret === 'string') {
      if (!isId(secret)) throw new TypeError('a group key has 64 hex digits');
      return new GroupKey(hexToBytes(secret));
    }
    if (!(secret instanceof Uint8Array) || secret.length !== 32)
      throw new TypeError('a group key has 32 bytes');
    return new GroupKey(Uint8Array.from(secret));
  }

  /**
   * The key that a passphrase stands for, through scrypt with N = 2^17, r = 8, p = 1: group ids are public, so the
   * hash of a weak phrase could otherwise be guessed offline. Blocks for about half a second and needs 128 MiB.
   *
   * The text is taken in Unicode normal form NFKC. All members must use the same `salt`; one per deployment stops
   * tables of guesses from serving twice.
   *
   * @throws TypeError when `text` is empty.
   */
  static fromPassphrase(text: string, options: { salt?: string | Uint8Array | undefined } = {}): GroupKey {
    if (typeof text !== 'string' || text === '')
      throw new TypeError('a passphrase is a text that is not empty');
    return new GroupKey(scrypt(text.normalize('NFKC'), options.salt ?? PASSPHRASE_SALT, PASSPHRASE_SCRYPT));
  }

  /** A copy of the 32 bytes: for storing the key, and for deriving from it. */
  exportBytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  toString(): string {
    return 'GroupKey(redacted)';
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
