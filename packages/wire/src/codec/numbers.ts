import { WireError } from '../error.ts';
import { type Schema, schema } from './schema.ts';

/** One byte, two's complement (postcard: i8). */
export const i8: Schema<number> = schema({
  minBytes: 1,
  write(writer, value) {
    checkInteger(value, -0x80, 0x7f);
    writer.raw(Uint8Array.of(value));
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
    writer.sint64(value);
  },
  read(reader) {
    const zigzag = reader.bigVarint(64);
    return (zigzag >> 1n) ^ -(zigzag & 1n);
  },
});

/** Four bytes, IEEE 754, little endian (postcard: f32). A number in between is rounded; one beyond is refused. */
export const f32: Schema<number> = schema({
  minBytes: 4,
  write(writer, value) {
    if (typeof value !== 'number' || (Number.isFinite(value) && !Number.isFinite(Math.fround(value))))
      throw invalid('a number in the range of a 32-bit float', value);
    writer.float(Math.fround(value));
  },
  read: (reader) => dataView(reader.view(4)).getFloat32(0, true),
});

/** Eight bytes, IEEE 754, little endian (postcard: f64). */
export const f64: Schema<number> = schema({
  minBytes: 8,
  write(writer, value) {
    if (typeof value !== 'number') throw invalid('a number', value);
    writer.double(value);
  },
  read: (reader) => dataView(reader.view(8)).getFloat64(0, true),
});

/** A zigzag varint (postcard: i16, i32). */
function signed(bits: 16 | 32): Schema<number> {
  const max = 2 ** (bits - 1) - 1;
  return schema({
    minBytes: 1,
    write(writer, value) {
      checkInteger(value, -max - 1, max);
      writer.sint32(value);
    },
    read(reader) {
      const zigzag = reader.varint(2 * max + 1);
      return (zigzag >>> 1) ^ -(zigzag & 1);
    },
  });
}

function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
