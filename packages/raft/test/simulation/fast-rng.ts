import type { Rng } from '@mosaik/wire/runtime';

/** Reproducible randomness without big integers (sfc32 by Doty-Humphrey): a run draws millions of numbers. */
export function fastRng(seed: number | bigint): Rng {
  const bits = BigInt.asUintN(64, BigInt(seed));
  let a = Number(bits & 0xffff_ffffn) | 0;
  let b = Number(bits >> 32n) | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  const u32 = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i += 1) u32();
  return {
    float: () => u32() / 0x1_0000_0000,
    u64: () => (BigInt(u32()) << 32n) | BigInt(u32()),
    bytes: (length) => Uint8Array.from({ length }, () => u32() & 0xff),
  };
}
