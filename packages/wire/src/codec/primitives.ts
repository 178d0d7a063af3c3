import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { WireError } from '../error.ts';
import type { Id } from '../ids.ts';
import { checkInteger, invalid } from './numbers.ts';
import { type Schema, schema, type Writer } from './schema.ts';

/** Longest byte string or text where a schema sets no limit of its own. */
export const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

const U32_MAX = 0xffff_ffff;

// Stricter than `isId`: upper-case digits would be another text for the same id, and sort elsewhere.
const CANONICAL_ID = /^[0-9a-f]{64}$/;

/** No bytes at all (postcard: unit). */
export const unit: Schema<undefined> = schema({ minBytes: 0, write() {}, read: () => undefined });

export const bool: Schema<boolean> = schema({
  minBytes: 1,
  write(writer, value) {
    if (typeof value !== 'boolean') throw invalid('a boolean', value);
    writer.bool(value);
  },
  read(reader) {
    const offset = reader.offset;
    const byte = reader.u8();
    if (byte > 1) throw new WireError('non-canonical', offset, `boolean ${byte}`);
    return byte === 1;
  },
});

/** One byte, not a varint (postcard: u8). */
export const u8: Schema<number> = schema({
  minBytes: 1,
  write(writer, value) {
    checkInteger(value, 0, 0xff);
    // Below 128 a varint is its byte; above, the continuation bit would change it.
    if (value < 0x80) writer.uint32(value);
    else writer.raw(Uint8Array.of(value));
  },
  read: (reader) => reader.u8(),
});

export const u16 = unsigned(0xffff);
export const u32 = unsigned(U32_MAX);
/** A u64 on the wire, a number here: above 2^53 − 1 it is refused in both directions. */
export const safeU64 = unsigned(Number.MAX_SAFE_INTEGER);

export const u64: Schema<bigint> = schema({
  minBytes: 1,
  write(writer, value) {
    if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value)
      throw invalid('a bigint below 2^64', value);
    writer.uint64(value);
  },
  read: (reader) => reader.bigVarint(64),
});

/** Length-prefixed bytes. Decoding gives a view into the input. */
export function bytes(options: { max?: number } = {}): Schema<Uint8Array> {
  const max = options.max ?? DEFAULT_MAX_BYTES;
  return schema({
    minBytes: 1,
    write(writer, value) {
      if (!(value instanceof Uint8Array)) throw invalid('bytes', value);
      if (value.length > max) throw new WireError('limit', 0, `${value.length} bytes above the limit ${max}`);
      writer.bytes(value);
    },
    read: (reader) => reader.view(reader.length(max, 1)),
  });
}

/** Exactly `length` bytes without a prefix (postcard: `[u8; N]`). Decoding gives a view into the input. */
export function fixedBytes(length: number): Schema<Uint8Array> {
  return schema({
    minBytes: length,
    write(writer, value) {
      if (!(value instanceof Uint8Array) || value.length !== length) throw invalid(`${length} bytes`, value);
      writer.raw(value);
    },
    read: (reader) => reader.view(length),
  });
}

/** Length-prefixed UTF-8; `max` counts bytes. */
export function str(options: { max?: number } = {}): Schema<string> {
  const max = options.max ?? DEFAULT_MAX_BYTES;
  return schema({
    minBytes: 1,
    write(writer, value) {
      if (typeof value !== 'string' || !value.isWellFormed()) throw invalid('well-formed text', value);
      // A UTF-16 code unit takes at most three bytes of UTF-8.
      if (value.length * 3 > max && new TextEncoder().encode(value).length > max) {
        throw new WireError('limit', 0, `text above the limit of ${max} bytes`);
      }
      writer.string(value);
    },
    read: (reader) => reader.string(max),
  });
}

/** 32 raw bytes on the wire, a branded hex string here. */
export function id<I extends Id<string>>(): Schema<I> {
  return schema({
    minBytes: 32,
    write(writer, value) {
      if (typeof value !== 'string' || !CANONICAL_ID.test(value))
        throw invalid('an id of 64 lower-case hex digits', value);
      writer.raw(hexToBytes(value));
    },
    read: (reader) => bytesToHex(reader.view(32)) as I,
  });
}

function unsigned(max: number): Schema<number> {
  return schema({
    minBytes: 1,
    write(writer, value) {
      checkInteger(value, 0, max);
      writeVarint(writer, value);
    },
    read: (reader) => reader.varint(max),
  });
}

/** An unsigned varint of up to 2^53 − 1. */
export function writeVarint(writer: Writer, value: number): void {
  if (value <= U32_MAX) writer.uint32(value);
  else writer.uint64(BigInt(value));
}
