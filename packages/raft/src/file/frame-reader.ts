import type { LayerFile } from './file-layer.ts';
import {
  FILE_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC_BYTES,
  type FrameHeader,
  frameBytes,
  isIntact,
  parseFrameHeader,
  SECTOR_BYTES,
} from './format.ts';
import { damaged } from './storage-error.ts';

/** Read at a time; entries are views into these. */
const WINDOW_BYTES = 1 << 20;

export interface Frame {
  readonly kind: number;
  readonly seq: number;
  /** Where it begins in its file. */
  readonly offset: number;
  /** Where the next one begins. */
  readonly end: number;
  readonly payload: Buffer;
}

/** Where the intact frames of a file end, and that what follows was never finished. */
export interface TornTail {
  readonly type: 'torn';
  readonly offset: number;
}

/**
 * Reads the frames of one file in order, holding no more of it than one window, or one frame if that is larger.
 *
 * A frame that is not intact ends the reading: as a torn tail where that is allowed and what is there can be what a
 * crash leaves of a write that was under way, else as damage.
 */
export class FrameReader {
  readonly #file: LayerFile;
  readonly #path: string;
  readonly #size: number;
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;
  #offset = FILE_HEADER_BYTES;

  constructor(file: LayerFile, path: string, size: number) {
    this.#file = file;
    this.#path = path;
    this.#size = size;
  }

  get offset(): number {
    return this.#offset;
  }

  /** The next frame, which must have this number; undefined at the end. @throws RaftError `storage-damaged`. */
  async next(seq: number | 'any', mayBeTorn: boolean): Promise<Frame | TornTail | undefined> {
    const offset = this.#offset;
    if (offset === this.#size) return undefined;
    const head = await this.#view(offset, FRAME_HEADER_BYTES);
    const header = parseFrameHeader(head);
    const end = header ? offset + frameBytes(header.payloadBytes) : undefined;
    const body =
      header && end !== undefined && end <= this.#size
        ? await this.#view(offset + FRAME_HEADER_BYTES, end - offset - FRAME_HEADER_BYTES)
        : undefined;
    if (header && body && end !== undefined && isIntact(header, body)) {
      if (seq !== 'any' && header.seq !== seq)
        throw damaged(this.#path, offset, `frame ${header.seq} stands where ${seq} is due`);
      this.#offset = end;
      const payload = body.subarray(0, header.payloadBytes);
      return { kind: header.kind, seq: header.seq, offset, end, payload };
    }
    await this.#judge(header, head.length, end, mayBeTorn);
    return { type: 'torn', offset };
  }

  /** Returns when what is at the offset can be the rest of a write that never finished. */
  async #judge(
    header: FrameHeader | undefined,
    headBytes: number,
    end: number | undefined,
    mayBeTorn: boolean,
  ): Promise<void> {
    const offset = this.#offset;
    const problem = header
      ? end !== undefined && end > this.#size
        ? `a batch of ${header.payloadBytes} bytes is cut off by the end of the file`
        : 'a batch does not match its checksum'
      : 'no batch begins here';
    if (!mayBeTorn) throw damaged(this.#path, offset, problem);
    const follower = await this.#findHeader(Math.min(end ?? offset + 1, this.#size));
    // The next batch is only written once this one is durable: it was whole then.
    if (follower !== undefined)
      throw damaged(this.#path, offset, `${problem}, and another follows at byte ${follower}`);
    const cutOff = headBytes < FRAME_HEADER_BYTES || (end !== undefined && end > this.#size);
    if (cutOff || (await this.#hasUnwrittenSector(offset, end ?? this.#size))) return;
    throw damaged(this.#path, offset, `${problem}, though all of it was written`);
  }

  /** Where the first intact frame header from `from` on is. */
  async #findHeader(from: number): Promise<number | undefined> {
    for (let at = from; at < this.#size; ) {
      const view = await this.#view(at, WINDOW_BYTES);
      let found = view.indexOf(FRAME_MAGIC_BYTES);
      for (; found >= 0; found = view.indexOf(FRAME_MAGIC_BYTES, found + 1))
        if (parseFrameHeader(await this.#view(at + found, FRAME_HEADER_BYTES))) return at + found;
      at += Math.max(1, view.length - FRAME_MAGIC_BYTES.length + 1);
    }
    return undefined;
  }

  /** Whether a part that a disk writes at once is all zeros: no frame has such a part unless its commands do. */
  async #hasUnwrittenSector(from: number, to: number): Promise<boolean> {
    for (let at = from; at < to; ) {
      const sectorEnd = Math.min(to, at - (at % SECTOR_BYTES) + SECTOR_BYTES);
      if ((await this.#view(at, sectorEnd - at)).every((byte) => byte === 0)) return true;
      at = sectorEnd;
    }
    return false;
  }

  /** Up to `length` bytes from `at` on: fewer only at the end of the file. */
  async #view(at: number, length: number): Promise<Buffer> {
    const wanted = Math.min(length, this.#size - at);
    const start = at - this.#windowAt;
    if (start < 0 || start + wanted > this.#window.length) {
      const fresh = Buffer.allocUnsafeSlow(Math.min(Math.max(WINDOW_BYTES, wanted), this.#size - at));
      const got = await this.#file.read(fresh, at);
      if (got < fresh.length) throw damaged(this.#path, at + got, 'the file ended while it was read');
      this.#window = fresh;
      this.#windowAt = at;
      return fresh.subarray(0, wanted);
    }
    return this.#window.subarray(start, start + wanted);
  }
}
