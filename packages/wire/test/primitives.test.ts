import {
  bool,
  bytes,
  type Codec,
  f32,
  f64,
  fixedBytes,
  i8,
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
  unit,
  variants,
  vec,
} from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { hex, unhex } from './hex.ts';
import { sampleId } from './samples.ts';

const zeros = (count: number) => '00'.repeat(count);
const point = struct('Point', { x: u16, y: i16 });
const shape = variants('Shape', { Unit: null, Newtype: u16, Pair: tuple(u8, str()), Struct: { on: bool } });

// Worked out by hand from https://postcard.jamesmunns.com/wire-format.
const table: readonly [name: string, codec: Codec<never>, value: unknown, bytes: string][] = [
  ['bool is one byte', bool, true, '01'],
  ['u8 is its byte', u8, 0xfb, 'fb'],
  ['i8 is its byte in two’s complement', i8, -5, 'fb'],
  ['u16: 7 bits a byte, low bits first', u16, 300, 'ac 02'],
  ['u16: the highest takes 3 bytes', u16, 0xffff, 'ff ff 03'],
  ['u32: the highest takes 5 bytes', u32, 0xffff_ffff, 'ff ff ff ff 0f'],
  ['u64: the highest takes 10 bytes', u64, 2n ** 64n - 1n, 'ff ff ff ff ff ff ff ff ff 01'],
  ['u64 as a safe integer: 2^53 − 1', safeU64, Number.MAX_SAFE_INTEGER, 'ff ff ff ff ff ff ff 0f'],
  ['u64 as a safe integer: 2^32', safeU64, 2 ** 32, '80 80 80 80 10'],
  ['i16: zigzag puts −1 beside 0', i16, -1, '01'],
  ['i16: the lowest', i16, -0x8000, 'ff ff 03'],
  ['i32: the highest', i32, 0x7fff_ffff, 'fe ff ff ff 0f'],
  ['i64: the lowest', i64, -(2n ** 63n), 'ff ff ff ff ff ff ff ff ff 01'],
  ['f32: IEEE 754, little endian', f32, -32.005859375, '00 06 00 c2'],
  ['f64: IEEE 754, little endian', f64, -32.005859375, '00 00 00 00 c0 00 40 c0'],
  ['f64: infinity', f64, Number.NEGATIVE_INFINITY, '00 00 00 00 00 00 f0 ff'],
  ['unit is nothing', unit, undefined, ''],
  ['str: length in bytes, then UTF-8', str(), 'é', '02 c3 a9'],
  ['str: a byte order mark is text', str(), '\ufeff', '03 ef bb bf'],
  ['bytes: length, then bytes', bytes(), Uint8Array.of(0, 255), '02 00 ff'],
  ['a fixed array has no length', fixedBytes(2), Uint8Array.of(7, 8), '07 08'],
  ['an id is its 32 bytes', id(), sampleId(0), zeros(32)],
  ['option: none', option(u16), undefined, '00'],
  ['option: some', option(u16), 300, '01 ac 02'],
  ['seq: length, then elements', vec(u16), [1, 300], '02 01 ac 02'],
  ['seq: empty', vec(u16), [], '00'],
  ['seq of units: only a length', vec(unit), [undefined, undefined], '02'],
  ['tuple: elements only', tuple(u8, u16), [1, 300], '01 ac 02'],
  ['map: length, then pairs', map(str(), u8), new Map([['a', 1]]), '01 01 61 01'],
  ['set: in the order of the UTF-8', orderedSet(str()), ['a', 'b'], '02 01 61 01 62'],
  ['struct: fields only, in order', point, { x: 300, y: -1 }, 'ac 02 01'],
  ['unit variant: only its number', shape, { type: 'Unit' }, '00'],
  ['newtype variant', shape, { type: 'Newtype', value: 300 }, '01 ac 02'],
  ['tuple variant', shape, { type: 'Pair', value: [1, 'a'] }, '02 01 01 61'],
  ['struct variant', shape, { type: 'Struct', on: true }, '03 01'],
].map(([name, codec, value, text]) => [name, codec, value, text] as never);

describe('writes and reads the postcard wire format', () => {
  test.each(table)('%s', (_name, codec, value, text) => {
    expect(hex(codec.encode(value as never))).toBe(text.replaceAll(' ', ''));
    expect(codec.decode(unhex(text))).toEqual(value);
  });

  test('variants beyond 127 take two bytes (postcard: discriminant is a varint u32)', () => {
    const many = variants(
      'Many',
      Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`V${i}`, null] as const)),
    );
    expect(hex(many.encode({ type: 'V199' }))).toBe('c701');
    expect(many.decode(unhex('c701'))).toEqual({ type: 'V199' });
  });
});

describe('byte ownership', () => {
  test('encoding copies: neither the value nor a later encode changes the result', () => {
    const value = Uint8Array.of(1, 2, 3);
    const encoded = bytes().encode(value);
    value.fill(9);
    bytes().encode(Uint8Array.of(7, 7, 7, 7));
    expect(hex(encoded)).toBe('03010203');
  });

  test('decoding gives views into the input', () => {
    const input = unhex('03 01 02 03');
    const value = bytes().decode(input);
    expect(value.buffer).toBe(input.buffer);
    expect(value.byteOffset).toBe(input.byteOffset + 1);
  });

  test('decoding a Buffer gives plain Uint8Arrays, whose slice copies', () => {
    const value = bytes().decode(Buffer.from('03010203', 'hex'));
    expect(value.constructor).toBe(Uint8Array);
    const copy = value.slice();
    value.fill(0);
    expect(hex(copy)).toBe('010203');
  });

  test('an encode inside another one does not disturb it', () => {
    const inner: Codec<number> = u16;
    const outer = struct('Outer', { a: u8, b: nesting(), c: u8 });
    expect(hex(outer.encode({ a: 1, b: 300, c: 2 }))).toBe('0102ac0202');

    function nesting() {
      const text = bytes();
      return {
        ...u16,
        minBytes: 1,
        write: (writer: Parameters<typeof text.write>[0], value: number) =>
          text.write(writer, inner.encode(value)),
        read: () => 0,
      };
    }
  });

  test('what a failed encode wrote does not leak into the next', () => {
    const pair = struct('Pair', { a: u8, b: u8 });
    expect(() => pair.encode({ a: 1, b: 256 })).toThrow();
    expect(hex(pair.encode({ a: 2, b: 3 }))).toBe('0203');
  });
});
