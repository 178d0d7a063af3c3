import { FRAME_HEADER_BYTES, writeFrameHeader } from '../../framing.ts';

/** Slots of frames that were taken are reused once there are so many, and half of the list. */
const COMPACT_FROM = 256;
const TAKEN = new Uint8Array(0);

/** Frames on their way out. Borrowed until they are taken; taking copies them once, to where they leave from. */
export class Outbox {
  #frames: Uint8Array[] = [];
  #head = 0;
  /** Bytes of the first frame that were taken, its header included. */
  #taken = 0;
  #queuedBytes = 0;
  #addedBytes = 0;

  /** With their headers. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** All bytes ever queued: `addedBytes - queuedBytes` were taken. */
  get addedBytes(): number {
    return this.#addedBytes;
  }

  push(frame: Uint8Array): void {
    const total = FRAME_HEADER_BYTES + frame.length;
    this.#frames.push(frame);
    this.#queuedBytes += total;
    this.#addedBytes += total;
  }

  /** Writes what fits between `from` and `to`, a frame's header whole or not at all. Gives where it ended. */
  take(target: Uint8Array, from: number, to: number): number {
    let at = from;
    while (this.#head < this.#frames.length) {
      const frame = this.#frames[this.#head] as Uint8Array;
      if (this.#taken === 0) {
        if (to - at < FRAME_HEADER_BYTES) break;
        writeFrameHeader(target, at, frame.length);
        at += FRAME_HEADER_BYTES;
        this.#taken = FRAME_HEADER_BYTES;
        this.#queuedBytes -= FRAME_HEADER_BYTES;
      }
      const start = this.#taken - FRAME_HEADER_BYTES;
      const length = Math.min(frame.length - start, to - at);
      target.set(length === frame.length ? frame : frame.subarray(start, start + length), at);
      at += length;
      this.#queuedBytes -= length;
      if (start + length < frame.length) {
        this.#taken += length;
        break;
      }
      this.#taken = 0;
      this.#frames[this.#head] = TAKEN;
      this.#head += 1;
    }
    this.#compact();
    return at;
  }

  clear(): void {
    this.#frames = [];
    this.#head = 0;
    this.#taken = 0;
    this.#queuedBytes = 0;
  }

  #compact(): void {
    if (this.#head === this.#frames.length) this.#frames.length = 0;
    else if (this.#head < COMPACT_FROM || this.#head * 2 < this.#frames.length) return;
    else this.#frames.splice(0, this.#head);
    this.#head = 0;
  }
}
