/** Randomness as a port: one seed then decides a whole simulated run. */
export interface Rng {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform over all 64-bit values. */
  u64(): bigint;
  /** `length` fresh random bytes; owned by the caller. */
  bytes(length: number): Uint8Array;
}

/**
 * Random words for small draws, filled at once: one call of the host for each would cost more than what it decides. What
 * may become a secret (`bytes`) is not kept here.
 */
const words = new Uint32Array(256);
let used = words.length;

function nextWord(): number {
  if (used === words.length) {
    crypto.getRandomValues(words);
    used = 0;
  }
  used += 1;
  return words[used - 1] ?? 0;
}

/** Cryptographically secure randomness of the host (WebCrypto). */
export const systemRng: Rng = {
  float: () => ((nextWord() >>> 5) * 0x4000000 + (nextWord() >>> 6)) / 0x20000000000000,
  u64: () => (BigInt(nextWord()) << 32n) | BigInt(nextWord()),
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
