import { FRAME_HEADER_BYTES, writeFrameHeader } from '../framing.ts';

const PAGE_BYTES = 16_384;
/** Frames up to this are copied next to each other, larger ones borrowed: a native call costs as much as copying about this. */
const COPIED_FRAME_BYTES = 8192;

/** Frames on their way into a stream, as chunks: small ones share a page, so that many leave in one native call. */
export class SendQueue {
  #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that were taken. */
  #taken = 0;
  #page: Uint8Array = new Uint8Array(0);
  #pageStart = 0;
  #pageEnd = 0;
  #queuedBytes = 0;
  #addedBytes = 0;

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** All bytes ever queued: `addedBytes - queuedBytes` were taken. */
  get addedBytes(): number {
    return this.#addedBytes;
  }

  /** Adds a frame; false when it was borrowed rather than copied. */
  push(frame: Uint8Array): boolean {
    const { length } = frame;
    const total = FRAME_HEADER_BYTES + length;
    const copied = length <= COPIED_FRAME_BYTES;
    this.#queuedBytes += total;
    this.#addedBytes += total;
    this.#reserve(copied ? total : FRAME_HEADER_BYTES);
    writeFrameHeader(this.#page, this.#pageEnd, length);
    this.#pageEnd += FRAME_HEADER_BYTES;
    if (copied) {
      this.#page.set(frame, this.#pageEnd);
      this.#pageEnd += length;
    } else {
      this.#seal();
      this.#chunks.push(frame);
    }
    return copied;
  }

  /** The next bytes to send, or undefined; valid until the next call. */
  peek(): Uint8Array | undefined {
    const first = this.#chunks[0];
    if (first) return this.#taken === 0 ? first : first.subarray(this.#taken);
    return this.#pageEnd > this.#pageStart ? this.#page.subarray(this.#pageStart, this.#pageEnd) : undefined;
  }

  /** The first `length` bytes of what `peek` gave were copied away. */
  consume(length: number): void {
    this.#queuedBytes -= length;
    const first = this.#chunks[0];
    if (first) {
      this.#taken += length;
      if (this.#taken < first.length) return;
      this.#chunks.shift();
      this.#taken = 0;
      return;
    }
    this.#pageStart += length;
  }

  clear(): void {
    this.#chunks = [];
    this.#taken = 0;
    this.#pageStart = 0;
    this.#pageEnd = 0;
    this.#queuedBytes = 0;
  }

  #reserve(bytes: number): void {
    if (this.#chunks.length === 0 && this.#pageStart === this.#pageEnd) {
      this.#pageStart = 0;
      this.#pageEnd = 0;
    }
    if (this.#page.length - this.#pageEnd >= bytes) return;
    this.#seal();
    this.#page = new Uint8Array(PAGE_BYTES);
    this.#pageStart = 0;
    this.#pageEnd = 0;
  }

  /** What the page holds becomes a chunk; the rest of the page stays in use. */
  #seal(): void {
    if (this.#pageEnd > this.#pageStart)
      this.#chunks.push(this.#page.subarray(this.#pageStart, this.#pageEnd));
    this.#pageStart = this.#pageEnd;
  }
}
