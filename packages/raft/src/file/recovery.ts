import { join } from 'node:path';
import { WireError } from '@mosaik/wire';
import type { Logger } from '@mosaik/wire/runtime';
import type { FileLayer } from './file-layer.ts';
import {
  Checkpoint,
  decodeBatch,
  FILE_HEADER_BYTES,
  FrameKind,
  fileHeaderProblem,
  frameBytes,
} from './format.ts';
import { type Frame, FrameReader } from './frame-reader.ts';
import { LogImage } from './log-image.ts';
import { SegmentTable, segmentName } from './segments.ts';
import { damaged } from './storage-error.ts';

export interface Recovered {
  readonly image: LogImage;
  /** Those that are left, rising; the last one is written to from `offset` on. */
  readonly segments: SegmentTable;
  readonly offset: number;
  /** Of the next frame. */
  readonly seq: number;
}

interface SegmentEnd {
  /** Where its intact frames end; behind a seal nothing may come. */
  readonly offset: number;
  readonly size: number;
  readonly seq: number;
  readonly sealed: boolean;
}

/**
 * Reads all segments, one window at a time.
 *
 * What may be cut off is what a crash can leave: a batch at the very end that was not written whole, and a next segment
 * to which nothing was written yet. Everything else that is not as it was written is refused, naming file and byte.
 *
 * @throws RaftError `storage-damaged`.
 */
export class Recovery {
  readonly #layer: FileLayer;
  readonly #directory: string;
  readonly #storeId: Uint8Array;
  readonly #logger: Logger;
  readonly #segments = new SegmentTable();
  #image: LogImage | undefined;

  constructor(layer: FileLayer, directory: string, storeId: Uint8Array, logger: Logger) {
    this.#layer = layer;
    this.#directory = directory;
    this.#storeId = storeId;
    this.#logger = logger;
  }

  /** `numbers`: of the segment files, rising, at least one. */
  async run(numbers: readonly number[]): Promise<Recovered> {
    const newest = numbers.at(-1) as number;
    // Removals need not have survived in order: below a gap are segments that were compacted.
    const first = numbers.findLast((number) => !numbers.includes(number - 1)) as number;
    let end: SegmentEnd | undefined;
    for (let number = first; ; number += 1) {
      if (!numbers.includes(number)) throw damaged(this.#path(number), 0, 'the file is missing');
      this.#segments.begin(number);
      end = await this.#readSegment(number, end?.seq, number >= newest - 1);
      if (end.sealed) continue;
      if (number < newest) await this.#dropUnused(number + 1, newest, end.offset);
      await this.#cutOff(number, end);
      break;
    }
    const image = this.#image as LogImage;
    if (image.missing !== undefined) {
      throw damaged(this.#path(first - 1), 0, `the file is missing, and with it entry ${image.missing}`);
    }
    for (const number of numbers) if (number < first) await this.#layer.remove(this.#path(number));
    return { image, segments: this.#segments, offset: end.offset, seq: end.seq };
  }

  async #readSegment(number: number, seq: number | undefined, mayBeTorn: boolean): Promise<SegmentEnd> {
    const path = this.#path(number);
    const file = await this.#layer.open(path, 'read');
    try {
      const size = await file.size();
      const header = Buffer.alloc(FILE_HEADER_BYTES);
      const length = await file.read(header, 0);
      const problem = fileHeaderProblem(header.subarray(0, length), 'segment', this.#storeId, number);
      if (problem !== undefined) throw damaged(path, 0, problem);
      const reader = new FrameReader(file, path, size);
      let next = await this.#readCheckpoint(reader, path, seq);
      for (;;) {
        const frame = await reader.next(next, mayBeTorn);
        const { offset } = reader;
        if (!frame || 'type' in frame) return { offset, size, seq: next, sealed: false };
        next += 1;
        if (frame.kind === FrameKind.sealed) {
          if (frame.end !== size) throw damaged(path, frame.end, 'a batch follows the end of the segment');
          return { offset, size, seq: next, sealed: true };
        }
        this.#applyBatch(frame, path);
      }
    } finally {
      await file.close();
    }
  }

  /** The first frame of a segment: what all before it came to. Gives the number of the one that follows. */
  async #readCheckpoint(reader: FrameReader, path: string, seq: number | undefined): Promise<number> {
    const frame = await reader.next(seq ?? 'any', false);
    if (!frame || 'type' in frame || frame.kind !== FrameKind.checkpoint)
      throw damaged(path, FILE_HEADER_BYTES, 'its first frame is missing');
    if (this.#image === undefined) {
      this.#image = new LogImage(decode(path, frame, () => Checkpoint.decode(frame.payload)));
    } else if (!frame.payload.equals(Checkpoint.encode(this.#image.state))) {
      throw damaged(path, frame.offset, 'it does not go on where the segment before it ends');
    }
    return frame.seq + 1;
  }

  #applyBatch(frame: Frame, path: string): void {
    const image = this.#image as LogImage;
    if (frame.kind !== FrameKind.batch)
      throw damaged(path, frame.offset, `a frame of kind ${frame.kind} is out of place`);
    for (const record of decode(path, frame, () => decodeBatch(frame.payload))) {
      image.apply(record);
      this.#segments.note(record, image.state.last);
    }
  }

  /** A segment was prepared and the one before it never sealed: then nothing was written to it. */
  async #dropUnused(number: number, newest: number, endOfSealed: number): Promise<void> {
    const path = this.#path(number);
    const unsealed = this.#path(number - 1);
    const file = await this.#layer.open(path, 'read');
    const size = await file.size().finally(() => file.close());
    const unused = FILE_HEADER_BYTES + frameBytes(Checkpoint.encode((this.#image as LogImage).state).length);
    if (newest > number || size > unused)
      throw damaged(unsealed, endOfSealed, `it ends here, though ${path} goes on`);
    await this.#layer.remove(path);
  }

  /** What was under way when the process or the machine stopped was not acknowledged. */
  async #cutOff(number: number, { offset, size }: SegmentEnd): Promise<void> {
    if (offset === size) return;
    const path = this.#path(number);
    const file = await this.#layer.open(path, 'update');
    try {
      await file.truncate(offset);
      await file.sync();
    } finally {
      await file.close();
    }
    this.#logger.warn({ file: path, offset, bytes: size - offset }, 'the log ended in an unfinished write');
  }

  #path(number: number): string {
    return join(this.#directory, segmentName(number));
  }
}

function decode<T>(path: string, frame: Frame, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw damaged(path, frame.offset, `its checksum is right, and yet ${error.message}`);
  }
}
