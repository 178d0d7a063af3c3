import type { Rng } from '../runtime/rng.ts';

/** Reproducible randomness (xorshift128+ by Vigna, seeded by splitmix64). Never for secrets. */
export function seededRng(seed: number | bigint): Rng {
  const mask = (1n << 64n) - 1n;
  let state = BigInt(seed) & mask;
  const splitmix = () => {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };
  let a = splitmix();
  let b = splitmix();
  const u64 = () => {
    let x = a;
    const y = b;
    a = y;
    x ^= (x << 23n) & mask;
    b = x ^ y ^ (x >> 17n) ^ (y >> 26n);
    return (b + y) & mask;
  };
  return {
    float: () => Number(u64() >> 11n) / 0x20000000000000,
    u64,
    bytes(length) {
      const out = new Uint8Array(length);
      for (let i = 0; i < length; i += 1) out[i] = Number(u64() & 0xffn);
      return out;
    },
  };
}
