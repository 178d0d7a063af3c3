import { WireError } from '../error.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

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

  constructor(bytes: Uint8Array) {
    // Not a subclass: the views that decoding hands out must not be Node's Buffers, whose `slice` does not copy.
    this.bytes =
      bytes.constructor === Uint8Array
        ? bytes
        : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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

  /** `length` bytes as a view into the input. */
  view(length: number): Uint8Array {
    if (length > this.remaining) throw this.#short(this.offset, length);
    const view = this.bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    return view;
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
    const bytes = this.view(this.length(maxBytes, 1));
    try {
      return utf8.decode(bytes);
    } catch {
      throw new WireError('utf8', start, 'invalid UTF-8');
    }
  }

  end(): void {
    if (this.remaining > 0)
      throw new WireError('trailing-bytes', this.offset, `${this.remaining} bytes too many`);
  }

  #short(start: number, needed: number): WireError {
    return new WireError('too-short', start, `needs ${needed} bytes, ${this.bytes.length - start} are left`);
  }
}

function overlong(start: number): WireError {
  return new WireError('non-canonical', start, 'varint in more bytes than it needs');
}
