import { FRAME_HEADER_BYTES, FrameDecoder } from '../../framing.ts';
import { readU32 } from './records.ts';

/** Pieces up to this are copied next to each other: a small piece would keep all of what TLS read with it. */
const COPIED_PIECE_BYTES = 4096;
const FIRST_SLAB_BYTES = 4096;
const SLAB_BYTES = 16_384;

/** Bytes of one link that arrived, and the frames in them. A frame that lies within one piece is not copied. */
export class Inbox {
  readonly #decoder = new FrameDecoder();
  #pieces: Uint8Array[] = [];
  /** Where the first piece goes on. */
  #at = 0;
  #unreadBytes = 0;
  #slab: Uint8Array = new Uint8Array(0);
  #slabEnd = 0;
  /** Whether the last piece ends where the slab's free room begins. */
  #growing = false;

  /** Bytes that nobody asked for yet. A frame that is asked for counts as read as far as it arrived. */
  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  /** Bytes that belong to no frame handed out. */
  get bufferedBytes(): number {
    return this.#unreadBytes + this.#decoder.bufferedBytes;
  }

  /** Adds bytes: large pieces are kept as they are, so they must not change any more. */
  push(bytes: Uint8Array): void {
    this.#unreadBytes += bytes.length;
    if (bytes.length > COPIED_PIECE_BYTES) {
      this.#pieces.push(bytes);
      this.#growing = false;
      return;
    }
    if (this.#slab.length - this.#slabEnd < bytes.length) {
      this.#slab = new Uint8Array(this.#slab.length === 0 ? FIRST_SLAB_BYTES : SLAB_BYTES);
      this.#slabEnd = 0;
      this.#growing = false;
    }
    const start = this.#slabEnd;
    this.#slab.set(bytes, start);
    this.#slabEnd += bytes.length;
    const last = this.#growing ? this.#pieces.pop() : undefined;
    this.#pieces.push(this.#slab.subarray(last ? start - last.length : start, this.#slabEnd));
    this.#growing = true;
  }

  /**
   * The next whole frame: a view, owned by the caller. Undefined when more bytes are needed.
   *
   * @throws TransportError `too-large` when a header announces more than `maxFrameBytes`.
   */
  next(maxFrameBytes: number): Uint8Array | undefined {
    const whole = this.#decoder.bufferedBytes === 0 ? this.#nextWithinPiece(maxFrameBytes) : undefined;
    if (whole) return whole;
    for (;;) {
      const frame = this.#decoder.next(maxFrameBytes);
      if (frame) return frame;
      const piece = this.#pieces[0];
      if (!piece) return undefined;
      const room = this.#decoder.reserve();
      const length = Math.min(this.#decoder.missingBytes, room.length, piece.length - this.#at);
      room.set(piece.subarray(this.#at, this.#at + length));
      this.#decoder.commit(length);
      this.#advance(piece, length);
    }
  }

  #nextWithinPiece(maxFrameBytes: number): Uint8Array | undefined {
    const piece = this.#pieces[0];
    const start = this.#at + FRAME_HEADER_BYTES;
    if (!piece || piece.length < start) return undefined;
    const length = readU32(piece, this.#at);
    if (length > maxFrameBytes || piece.length < start + length) return undefined;
    this.#advance(piece, FRAME_HEADER_BYTES + length);
    return piece.subarray(start, start + length);
  }

  #advance(first: Uint8Array, length: number): void {
    this.#unreadBytes -= length;
    this.#at += length;
    if (this.#at < first.length) return;
    this.#pieces.shift();
    this.#at = 0;
    if (this.#pieces.length === 0) this.#growing = false;
  }
}
