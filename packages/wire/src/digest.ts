import { blake3 } from '@noble/hashes/blake3.js';

/** BLAKE3 of bytes that come in parts: 32 bytes. */
export interface Digester {
  /** The bytes are only read. */
  update(bytes: Uint8Array): Digester;
  /** Once, at the end. */
  digest(): Uint8Array;
}

export function createDigester(): Digester {
  return blake3.create();
}
