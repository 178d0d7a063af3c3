import {
  bool,
  bytes,
  type Codec,
  fixedBytes,
  i16,
  i32,
  i64,
  id,
  map,
  option,
  orderedSet,
  safeU64,
  str,
  struct,
  tuple,
  u8,
  u16,
  u32,
  u64,
  variants,
  vec,
  type WireErrorCode,
} from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { unhex } from './hex.ts';
import { refusal } from './refusal.ts';

const choice = variants('Choice', { A: null, B: u16 });
const hostile: readonly [
  name: string,
  codec: Codec<never>,
  bytes: string,
  code: WireErrorCode,
  offset: number,
][] = [
  ['u8 without a byte', u8, '', 'too-short', 0],
  ['a varint that ends in its middle', u32, 'ff ff', 'too-short', 0],
  ['zero in two bytes', u16, '80 00', 'non-canonical', 0],
  ['300 in three bytes', u32, 'ac 82 00', 'non-canonical', 0],
  ['a u64 with a tenth byte of zero', u64, 'ff ff ff ff ff ff ff ff ff 00', 'non-canonical', 0],
  ['u16 of 65536', u16, '80 80 04', 'out-of-range', 0],
  ['u32 of 2^32', u32, '80 80 80 80 10', 'out-of-range', 0],
  ['u32 with bits that 32-bit arithmetic would drop', u32, 'ff ff ff ff 7f', 'out-of-range', 0],
  ['u64 of 2^64', u64, '80 80 80 80 80 80 80 80 80 02', 'out-of-range', 0],
  ['u64 in eleven bytes', u64, '80 80 80 80 80 80 80 80 80 80 01', 'out-of-range', 0],
  ['safe u64 of 2^53', safeU64, '80 80 80 80 80 80 80 10', 'out-of-range', 0],
  ['safe u64 of 2^53 + 1', safeU64, '81 80 80 80 80 80 80 10', 'out-of-range', 0],
  ['safe u64 in nine bytes', safeU64, '80 80 80 80 80 80 80 80 01', 'out-of-range', 0],
  ['a run of continuations in a safe u64, without reading on', safeU64, '80'.repeat(8), 'out-of-range', 0],
  ['a run of continuations in a u64, without reading on', u64, '80'.repeat(10), 'out-of-range', 0],
  ['i16 beyond its zigzag', i16, '80 80 04', 'out-of-range', 0],
  ['i32 beyond its zigzag', i32, '80 80 80 80 10', 'out-of-range', 0],
  ['i64 beyond its zigzag', i64, '80 80 80 80 80 80 80 80 80 02', 'out-of-range', 0],
  ['i32 overlong', i32, '80 00', 'non-canonical', 0],
  ['a boolean of 2', bool, '02', 'non-canonical', 0],
  ['an option tag of 2', option(u8), '02 00', 'non-canonical', 0],
  ['an option without its value', option(u8), '01', 'too-short', 1],
  ['an unknown variant', choice, '02', 'unknown-variant', 0],
  ['an unknown variant of 2^32 − 1', choice, 'ff ff ff ff 0f', 'unknown-variant', 0],
  ['a variant above u32', choice, '80 80 80 80 10', 'out-of-range', 0],
  ['a variant in two bytes', choice, '80 00', 'non-canonical', 0],
  ['UTF-8: a lone continuation byte', str(), '01 80', 'utf8', 0],
  ['UTF-8: an overlong slash', str(), '02 c0 af', 'utf8', 0],
  ['UTF-8: a surrogate', str(), '03 ed a0 80', 'utf8', 0],
  ['UTF-8: above U+10FFFF', str(), '04 f4 90 80 80', 'utf8', 0],
  ['UTF-8: cut in a character', str(), '01 c3', 'utf8', 0],
  ['text longer than the input', str(), '05 61', 'too-short', 0],
  ['text longer than its limit', str({ max: 1 }), '02 61 61', 'limit', 0],
  ['bytes longer than the input', bytes(), '02 00', 'too-short', 0],
  ['bytes longer than their limit', bytes({ max: 1 }), '02 00 00', 'limit', 0],
  ['bytes of a length in two bytes', bytes(), '80 00', 'non-canonical', 0],
  ['a fixed array cut short', fixedBytes(4), '00 00 00', 'too-short', 0],
  ['an id cut short', id(), '00', 'too-short', 0],
  ['a sequence longer than its limit', vec(u8, { max: 1 }), '02 00 00', 'limit', 0],
  ['a sequence whose last element is missing', vec(u16), '02 01 80', 'too-short', 2],
  ['a sequence with more elements than bytes', vec(u8), '03 00 00', 'too-short', 0],
  ['a set out of order', orderedSet(str()), '02 01 62 01 61', 'non-canonical', 0],
  ['a set with one value twice', orderedSet(str()), '02 01 61 01 61', 'non-canonical', 0],
  ['a map key twice', map(str(), u8), '02 01 61 00 01 61 00', 'non-canonical', 0],
  ['a struct cut short', struct('S', { a: u8, b: u8 }), '01', 'too-short', 1],
  ['bytes after a struct', struct('S', { a: u8 }), '01 02', 'trailing-bytes', 1],
  ['bytes after a tuple', tuple(u8), '01 02 03', 'trailing-bytes', 1],
  ['bytes after a varint', u16, '01 00', 'trailing-bytes', 1],
].map((row) => row as never);

describe('refuses, with what and where', () => {
  test.each(hostile)('%s', (_name, codec, text, code, offset) => {
    const error = refusal(() => codec.decode(unhex(text)));
    expect({ code: error.code, offset: error.offset }).toEqual({ code, offset });
    expect(error.message).toContain(`at byte ${offset}`);
  });
});

describe('bounds before it allocates', () => {
  // Far above the input and, for the first two, above what an array or a buffer can hold.
  test.each([
    ['bytes of 4 GiB', bytes({ max: 2 ** 32 }), 'ff ff ff ff 0f'],
    ['text of 4 GiB', str({ max: 2 ** 32 }), 'ff ff ff ff 0f'],
    ['a sequence of 2^32 − 1', vec(u8, { max: 2 ** 32 }), 'ff ff ff ff 0f'],
    ['a map of 2^32 − 1', map(str(), u8, { max: 2 ** 32 }), 'ff ff ff ff 0f'],
    ['a set of 2^30 ids', orderedSet(id(), { max: 2 ** 30 }), '80 80 80 80 04'],
    ['nested sequences', vec(vec(u64, { max: 2 ** 30 }), { max: 2 ** 30 }), '80 80 80 80 04'],
  ] as const)('%s in five bytes', (_name, codec, text) => {
    expect(refusal(() => codec.decode(unhex(text))).code).toBe('too-short');
  });

  test('counts the fewest bytes of an element, not one: 32 per id', () => {
    let reads = 0;
    const read = () => {
      reads += 1;
      return '' as never;
    };
    const counted = { ...id(), read };
    const input = new Uint8Array(1 + 3 * 32 - 1);
    input[0] = 3;
    expect(refusal(() => vec(counted).decode(input)).code).toBe('too-short');
    expect(reads).toBe(0);
  });

  test('elements of no bytes are bounded by the limit alone', () => {
    const unitLike = vec(struct('Empty', {}), { max: 100 });
    expect(unitLike.decode(unhex('64'))).toHaveLength(100);
    expect(refusal(() => unitLike.decode(unhex('65'))).code).toBe('limit');
  });
});
