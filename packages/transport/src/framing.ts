import { TransportError } from './errors.ts';

/** Bytes of the length before every frame: unsigned, big-endian. */
export const FRAME_HEADER_BYTES = 4;

/** Writes the header of a frame of `length` bytes at `offset`. */
export function writeFrameHeader(target: Uint8Array, offset: number, length: number): void {
  target[offset] = length >>> 24;
  target[offset + 1] = length >>> 16;
  target[offset + 2] = length >>> 8;
  target[offset + 3] = length;
}

const FIRST_SLAB_BYTES = 4096;
const LARGEST_SLAB_BYTES = 65_536;
/** Frames from a quarter of a slab on get larger slabs: fewer of them straddle two, and those are copied. */
const BULK_FRAME_BYTES = 16_384;
const BULK_SLAB_BYTES = 262_144;
/** Less room than this at the end of a slab is not worth a read. */
const LEAST_ROOM_BYTES = 512;

/**
 * Cuts a byte stream into frames without copying those that lie within one slab.
 *
 * The reader fills `reserve()` and reports how much with `commit()`; `next()` hands out views. Each byte of a slab is
 * filled once, so a view stays valid for as long as it is held; holding one keeps its slab (64 KiB at most for small
 * frames, 256 KiB for larger ones). Memory grows with what has arrived, not with what a header announces: at most twice that, plus one slab.
 */
export class FrameDecoder {
  #slab: Uint8Array = new Uint8Array(0);
  #slabBytes = FIRST_SLAB_BYTES;
  #lastFrameBytes = 0;
  #start = 0;
  #end = 0;

  /** Bytes that arrived and belong to no frame handed out yet. */
  get bufferedBytes(): number {
    return this.#end - this.#start;
  }

  /** How many bytes the next frame, or its header, still lacks; 0 when it is there. */
  get missingBytes(): number {
    const have = this.#end - this.#start;
    if (have < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES - have;
    return Math.max(0, FRAME_HEADER_BYTES + this.#announced() - have);
  }

  /** Room to fill, never empty; valid until the next call of any method. */
  reserve(): Uint8Array {
    const have = this.#end - this.#start;
    const need =
      have >= FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES + this.#announced() - have : LEAST_ROOM_BYTES;
    const room = this.#slab.length - this.#end;
    // A frame that does not fit moves once, to the start of a slab of its own, which grows only as it fills.
    const moves = room < need && this.#start > 0 && have > 0;
    if (moves || (room < LEAST_ROOM_BYTES && room < need) || room === 0) this.#renew(have, have + need);
    const slab = this.#slab;
    return new Uint8Array(slab.buffer, slab.byteOffset + this.#end, slab.length - this.#end);
  }

  /** The first `length` bytes of the reserved room were filled. */
  commit(length: number): void {
    this.#end += length;
  }

  /**
   * The next whole frame: a view, owned by the caller. Undefined when more bytes are needed.
   *
   * @throws TransportError `too-large` when a header announces more than `maxFrameBytes`.
   */
  next(maxFrameBytes: number): Uint8Array | undefined {
    const have = this.#end - this.#start;
    if (have < FRAME_HEADER_BYTES) return undefined;
    const length = this.#announced();
    if (length > maxFrameBytes) {
      throw new TransportError(
        'too-large',
        `a frame of ${length} bytes was announced, ${maxFrameBytes} are allowed`,
      );
    }
    if (have < FRAME_HEADER_BYTES + length) return undefined;
    const from = this.#start + FRAME_HEADER_BYTES;
    this.#start = from + length;
    this.#lastFrameBytes = length;
    return new Uint8Array(this.#slab.buffer, this.#slab.byteOffset + from, length);
  }

  #announced(): number {
    const slab = this.#slab;
    const at = this.#start;
    const high = ((slab[at] ?? 0) << 8) | (slab[at + 1] ?? 0);
    return ((high << 16) | ((slab[at + 2] ?? 0) << 8) | (slab[at + 3] ?? 0)) >>> 0;
  }

  #renew(have: number, wanted: number): void {
    const least = this.#lastFrameBytes >= BULK_FRAME_BYTES ? BULK_SLAB_BYTES : this.#slabBytes;
    const bytes = Math.max(least, Math.min(wanted, 2 * have + LARGEST_SLAB_BYTES));
    this.#slabBytes = Math.min(4 * this.#slabBytes, LARGEST_SLAB_BYTES);
    const slab = new Uint8Array(bytes);
    slab.set(this.#slab.subarray(this.#start, this.#end));
    this.#slab = slab;
    this.#start = 0;
    this.#end = have;
  }
}
