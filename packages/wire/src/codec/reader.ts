import { getTextEncoding } from '@bufbuild/protobuf/wire';
import { WireError } from '../error.ts';
import { readId } from './id-text.ts';

/** Longest text that is put together here: above, the decoder's fixed cost is the smaller one. */
const MAX_SHORT_TEXT = 32;

const scratch = new DataView(new ArrayBuffer(8));

/**
 * Reads postcard primitives strictly from borrowed bytes.
 *
 * Differs from `BinaryReader` of `@bufbuild/protobuf/wire` because that one, as protobuf wants it, accepts overlong
 * varints, drops bits above the type's width, takes any byte for a bool, and reports the end of input as a
 * `RangeError`; here every input has exactly one reading or is refused with its offset.
 */
export class Reader {
  readonly bytes: Uint8Array;
  offset = 0;
  /** Something was refused: structs are read field by field from now on, for the path of the error. */
  byField = false;

  #buffer: ArrayBufferLike | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    const byte = this.bytes[this.offset];
    if (byte === undefined) throw this.#short(this.offset, 1);
    this.offset += 1;
    return byte;
  }

  /**
   * An unsigned varint up to `max` (postcard wire format, varint): 7 bits a byte, least significant first, in the
   * fewest bytes. `max` is at most 2^53 − 1.
   */
  varint(max: number): number {
    const byte = this.bytes[this.offset];
    if (byte === undefined || byte > 0x7f || byte > max) return this.#longVarint(max);
    this.offset += 1;
    return byte;
  }

  #longVarint(max: number): number {
    const start = this.offset;
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.offset];
      if (byte === undefined) throw this.#short(start, this.offset - start + 1);
      this.offset += 1;
      value += (byte & 0x7f) * scale;
      if (value > max) throw new WireError('out-of-range', start, `integer above ${max}`);
      if (byte < 0x80) {
        if (byte === 0 && this.offset - start > 1) throw overlong(start);
        return value;
      }
      // Eight bytes hold 56 bits: a continuation beyond them is above 2^53 − 1 or overlong.
      if (this.offset - start === 8) throw new WireError('out-of-range', start, `integer above ${max}`);
      scale *= 128;
    }
  }

  /** An unsigned varint of at most 64 bits. */
  uint64(): bigint {
    const { bytes, offset } = this;
    // Four bytes hold 28 bits, and the ten of the longest 28, 28 and 8: numbers, until the value is whole.
    let low = 0;
    let middle = 0;
    let high = 0;
    for (let i = 0; i < 10; i += 1) {
      const byte = bytes[offset + i];
      if (byte === undefined) break;
      if (i < 4) low |= (byte & 0x7f) << (7 * i);
      else if (i < 8) middle |= (byte & 0x7f) << (7 * (i - 4));
      else high |= (byte & 0x7f) << (7 * (i - 8));
      if (byte > 0x7f) continue;
      if ((byte === 0 && i > 0) || high > 0xff) break;
      this.offset = offset + i + 1;
      scratch.setUint32(0, low | (middle << 28), true);
      scratch.setUint32(4, (middle >>> 4) | (high << 24), true);
      return scratch.getBigUint64(0, true);
    }
    // Whatever is wrong, the general way says what.
    return this.bigVarint(64);
  }

  /** An unsigned varint of at most `bits` bits. */
  bigVarint(bits: number): bigint {
    const start = this.offset;
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.bytes[this.offset];
      if (byte === undefined) throw this.#short(start, this.offset - start + 1);
      this.offset += 1;
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      const last = byte < 0x80;
      if (last && byte === 0 && this.offset - start > 1) throw overlong(start);
      if (value >> BigInt(bits) !== 0n || (!last && shift >= bits)) {
        throw new WireError('out-of-range', start, `integer of more than ${bits} bits`);
      }
      if (last) return value;
    }
  }

  /** Steps over `expected` if that is what comes next. */
  skipSame(expected: Uint8Array): boolean {
    const { bytes, offset } = this;
    const { length } = expected;
    // Beyond the end of the input nothing equals a byte.
    for (let i = 0; i < length; i += 1) if (bytes[offset + i] !== expected[i]) return false;
    this.offset = offset + length;
    return true;
  }

  /** `length` bytes as a view into the input. */
  view(length: number): Uint8Array {
    const at = this.#skip(length);
    // Not `subarray`, whose views of a Buffer are Buffers, and their `slice` does not copy. Asking for `buffer` takes
    // as long as making the view, so it is asked for once.
    this.#buffer ??= this.bytes.buffer;
    return new Uint8Array(this.#buffer, this.bytes.byteOffset + at, length);
  }

  /** 32 bytes as 64 lower-case hex digits. */
  id(): string {
    return readId(this.bytes, this.#skip(32));
  }

  /** Four bytes, IEEE 754, little endian. */
  float(): number {
    return this.#toScratch(4).getFloat32(0, true);
  }

  /** Eight bytes, IEEE 754, little endian. */
  double(): number {
    return this.#toScratch(8).getFloat64(0, true);
  }

  /** A length prefix of at most `max` things of at least `minBytes` each; refused before anything is allocated. */
  length(max: number, minBytes: number): number {
    const start = this.offset;
    const length = this.varint(0xffff_ffff);
    if (length > max) throw new WireError('limit', start, `length ${length} above the limit ${max}`);
    if (length * minBytes > this.remaining) {
      throw new WireError(
        'too-short',
        start,
        `length ${length} exceeds the ${this.remaining} bytes that are left`,
      );
    }
    return length;
  }

  string(maxBytes: number): string {
    const start = this.offset;
    const length = this.length(maxBytes, 1);
    const at = this.#skip(length);
    const short = length <= MAX_SHORT_TEXT ? asciiText(this.bytes, at, length) : undefined;
    if (short !== undefined) return short;
    try {
      return getTextEncoding().decodeUtf8(this.bytes.subarray(at, at + length), true);
    } catch {
      throw new WireError('utf8', start, 'invalid UTF-8');
    }
  }

  end(): void {
    if (this.remaining > 0)
      throw new WireError('trailing-bytes', this.offset, `${this.remaining} bytes too many`);
  }

  /** Steps over `length` bytes and says where they start. */
  #skip(length: number): number {
    const at = this.offset;
    if (length > this.bytes.length - at) throw this.#short(at, length);
    this.offset = at + length;
    return at;
  }

  #toScratch(length: number): DataView {
    const at = this.#skip(length);
    for (let i = 0; i < length; i += 1) scratch.setUint8(i, this.bytes[at + i] as number);
    return scratch;
  }

  #short(start: number, needed: number): WireError {
    return new WireError('too-short', start, `needs ${needed} bytes, ${this.bytes.length - start} are left`);
  }
}

function overlong(start: number): WireError {
  return new WireError('non-canonical', start, 'varint in more bytes than it needs');
}

/** The text of ASCII bytes, undefined if others are among them. */
function asciiText(bytes: Uint8Array, start: number, length: number): string | undefined {
  const end = start + length;
  let all = 0;
  for (let i = start; i < end; i += 1) all |= bytes[i] as number;
  if (all > 0x7f) return undefined;
  let text = '';
  let i = start;
  // A call for many characters takes little longer than for one, and joining two texts longer than both.
  for (; i + 16 <= end; i += 16)
    text += String.fromCharCode(
      bytes[i] as number,
      bytes[i + 1] as number,
      bytes[i + 2] as number,
      bytes[i + 3] as number,
      bytes[i + 4] as number,
      bytes[i + 5] as number,
      bytes[i + 6] as number,
      bytes[i + 7] as number,
      bytes[i + 8] as number,
      bytes[i + 9] as number,
      bytes[i + 10] as number,
      bytes[i + 11] as number,
      bytes[i + 12] as number,
      bytes[i + 13] as number,
      bytes[i + 14] as number,
      bytes[i + 15] as number,
    );
  for (; i + 4 <= end; i += 4)
    text += String.fromCharCode(
      bytes[i] as number,
      bytes[i + 1] as number,
      bytes[i + 2] as number,
      bytes[i + 3] as number,
    );
  for (; i < end; i += 1) text += String.fromCharCode(bytes[i] as number);
  return text;
}
