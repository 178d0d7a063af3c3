import { getTextEncoding } from '@bufbuild/protobuf/wire';
import { WireError } from '../error.ts';
import type { Id } from '../ids.ts';
import { checkInteger, invalid } from './numbers.ts';
import { type Schema, schema } from './schema.ts';

/** Longest byte string or text where a schema sets no limit of its own. */
export const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

const U32_MAX = 0xffff_ffff;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

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
    writer.u8(value);
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
    if (typeof value !== 'bigint' || value < 0n || value > U64_MAX)
      throw invalid('a bigint below 2^64', value);
    writer.uint64(value);
  },
  read: (reader) => reader.uint64(),
});

export const u128: Schema<bigint> = schema({
  minBytes: 1,
  write(writer, value) {
    if (typeof value !== 'bigint' || BigInt.asUintN(128, value) !== value)
      throw invalid('a bigint below 2^128', value);
    writer.uint128(value);
  },
  read: (reader) => reader.bigVarint(128),
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
      if (typeof value !== 'string') throw invalid('well-formed text', value);
      if (value.length <= max && writer.shortAscii(value)) return;
      if (!getTextEncoding().checkUtf8(value)) throw invalid('well-formed text', value);
      // A UTF-16 code unit takes at least a byte of UTF-8: a text above the limit is not encoded to find that out.
      const encoded = value.length > max ? undefined : getTextEncoding().encodeUtf8(value);
      if (!encoded || encoded.length > max)
        throw new WireError('limit', 0, `text above the limit of ${max} bytes`);
      writer.bytes(encoded);
    },
    read: (reader) => reader.string(max),
  });
}

/** One Unicode scalar value, as text (postcard: char): its length, then its UTF-8. */
export const char: Schema<string> = schema({
  minBytes: 2,
  write(writer, value) {
    if (typeof value !== 'string' || !isChar(value)) throw invalid('one character', value);
    writer.bytes(getTextEncoding().encodeUtf8(value));
  },
  read(reader) {
    const offset = reader.offset;
    const value = reader.string(4);
    if (!isChar(value)) throw new WireError('out-of-range', offset, 'not one character');
    return value;
  },
});

function isChar(value: string): boolean {
  const code = value.codePointAt(0);
  return code !== undefined && value.length === (code > 0xffff ? 2 : 1) && getTextEncoding().checkUtf8(value);
}

/** 32 raw bytes on the wire, a branded hex string here. */
export function id<I extends Id<string>>(): Schema<I> {
  return schema({
    minBytes: 32,
    write(writer, value) {
      if (typeof value !== 'string' || !writer.id(value))
        throw invalid('an id of 64 lower-case hex digits', value);
    },
    read: (reader) => reader.id() as I,
  });
}

function unsigned(max: number): Schema<number> {
  return schema({
    minBytes: 1,
    write(writer, value) {
      checkInteger(value, 0, max);
      writer.varint(value);
    },
    read: (reader) => reader.varint(max),
  });
}
