/** Randomness as a port: one seed then decides a whole simulated run. */
export interface Rng {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform over all 64-bit values. */
  u64(): bigint;
  /** `length` fresh random bytes; owned by the caller. */
  bytes(length: number): Uint8Array;
}

/** Cryptographically secure randomness of the host (WebCrypto). */
export const systemRng: Rng = {
  float() {
    const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
    return ((high >>> 5) * 0x4000000 + (low >>> 6)) / 0x20000000000000;
  },
  u64: () => crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n,
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
