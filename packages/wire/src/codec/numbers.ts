import { WireError } from '../error.ts';
import { type Schema, schema } from './schema.ts';

/** One byte, two's complement (postcard: i8). */
export const i8: Schema<number> = schema({
  minBytes: 1,
  write(writer, value) {
    checkInteger(value, -0x80, 0x7f);
    writer.u8(value & 0xff);
  },
  read: (reader) => (reader.u8() << 24) >> 24,
});

export const i16 = signed(16);
export const i32 = signed(32);

export const i64: Schema<bigint> = schema({
  minBytes: 1,
  write(writer, value) {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value)
      throw invalid('a bigint of 64 bits', value);
    writer.uint64(zigzag(value));
  },
  read: (reader) => unzigzag(reader.uint64()),
});

export const i128: Schema<bigint> = schema({
  minBytes: 1,
  write(writer, value) {
    if (typeof value !== 'bigint' || BigInt.asIntN(128, value) !== value)
      throw invalid('a bigint of 128 bits', value);
    writer.uint128(zigzag(value));
  },
  read: (reader) => unzigzag(reader.bigVarint(128)),
});

function zigzag(value: bigint): bigint {
  return value < 0n ? -2n * value - 1n : 2n * value;
}

function unzigzag(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n);
}

/** Four bytes, IEEE 754, little endian (postcard: f32). A number in between is rounded; one beyond is refused. */
export const f32: Schema<number> = schema({
  minBytes: 4,
  write(writer, value) {
    if (typeof value !== 'number' || (Number.isFinite(value) && !Number.isFinite(Math.fround(value))))
      throw invalid('a number in the range of a 32-bit float', value);
    writer.float(Math.fround(value));
  },
  read: (reader) => reader.float(),
});

/** Eight bytes, IEEE 754, little endian (postcard: f64). */
export const f64: Schema<number> = schema({
  minBytes: 8,
  write(writer, value) {
    if (typeof value !== 'number') throw invalid('a number', value);
    writer.double(value);
  },
  read: (reader) => reader.double(),
});

/** A zigzag varint (postcard: i16, i32). */
function signed(bits: 16 | 32): Schema<number> {
  const max = 2 ** (bits - 1) - 1;
  return schema({
    minBytes: 1,
    write(writer, value) {
      checkInteger(value, -max - 1, max);
      writer.uint32(((value << 1) ^ (value >> 31)) >>> 0);
    },
    read(reader) {
      const zigzag = reader.varint(2 * max + 1);
      return (zigzag >>> 1) ^ -(zigzag & 1);
    },
  });
}

export function checkInteger(value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw invalid(`an integer from ${min} to ${max}`, value);
}

/** Names the kind of the value only, unless it is a number: it may be a secret. */
export function invalid(expected: string, value: unknown): WireError {
  const shown = typeof value === 'number' ? String(value) : value === null ? 'null' : typeof value;
  return new WireError('invalid-value', 0, `expected ${expected}, got ${shown}`);
}
