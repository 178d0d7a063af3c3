import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { idBytes, idFromBytes, type PeerId } from '@mosaik/wire';

/** DER around a raw 32-byte Ed25519 private key (RFC 8410 §7) and public key (§4). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A node's Ed25519 identity (RFC 8032). Never a string: prints, inspects and serialises as redacted. */
export class SecretKey {
  /** The public key. */
  readonly id: PeerId;
  readonly #seed: Uint8Array;
  readonly #key: KeyObject;

  private constructor(seed: Uint8Array) {
    this.#seed = seed;
    this.#key = importKey(() =>
      createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' }),
    );
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
    this.id = idFromBytes<PeerId>(spki.subarray(SPKI_PREFIX.length));
  }

  static generate(): SecretKey {
    const { privateKey } = generateKeyPairSync('ed25519');
    return new SecretKey(
      Uint8Array.from(privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.length)),
    );
  }

  /** Takes the 32-byte seed; copied. @throws TypeError for any other length. */
  static from(seed: Uint8Array): SecretKey {
    if (seed.length !== 32) throw new TypeError(`a secret key has 32 bytes, got ${seed.length}`);
    return new SecretKey(Uint8Array.from(seed));
  }

  /** A copy of the 32-byte seed: the one way to persist an identity. */
  exportSeed(): Uint8Array {
    return Uint8Array.from(this.#seed);
  }

  /** PKCS #8, PEM: what a TLS stack wants. A secret. */
  exportPem(): string {
    return this.#key.export({ format: 'pem', type: 'pkcs8' }).toString();
  }

  /** The 64-byte Ed25519 signature of `message`. */
  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#key);
  }

  toString(): string {
    return 'SecretKey(redacted)';
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** Importing a key costs more than verifying with it; the peers of a node are few. */
const publicKeys = new Map<PeerId, KeyObject>();
const MAX_PUBLIC_KEYS = 1024;

/** Whether `signature` over `message` is `signer`'s. Never throws on a peer's bytes. */
export function verifySignature(signer: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  try {
    let key = publicKeys.get(signer);
    if (!key) {
      key = createPublicKey({
        key: Buffer.concat([SPKI_PREFIX, idBytes(signer)]),
        format: 'der',
        type: 'spki',
      });
      if (publicKeys.size >= MAX_PUBLIC_KEYS) publicKeys.clear();
      publicKeys.set(signer, key);
    }
    return verify(null, message, key, signature);
  } catch {
    return false;
  }
}

/**
 * Tries twice: an error that a broken TLS connection left in OpenSSL's queue of the thread fails the next key import
 * (seen on Node 24.21 as "record layer failure"), and reporting it empties the queue.
 */
function importKey(create: () => KeyObject): KeyObject {
  try {
    return create();
  } catch {
    return create();
  }
}
