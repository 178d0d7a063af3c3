import { join } from 'node:path';
import type { FileLayer, LayerFile } from './file-layer.ts';
import {
  Checkpoint,
  encodeFileHeader,
  encodeFrame,
  FILE_HEADER_BYTES,
  FrameKind,
  frameBytes,
  type WriteRecord,
} from './format.ts';

/**
 * The segment files, oldest first, with the highest index that each still counts for: when all up to there is compacted
 * it may go.
 */
export class SegmentTable {
  readonly #segments: { readonly number: number; maxIndex: number }[] = [];

  get newest(): number {
    return this.#segments.at(-1)?.number ?? 0;
  }

  begin(number: number): void {
    this.#segments.push({ number, maxIndex: 0 });
  }

  /** A record went into the newest one, after which `last` is the last index. */
  note({ reset, append }: WriteRecord, last: number): void {
    if (reset) for (const segment of this.#segments) segment.maxIndex = 0;
    const newest = this.#segments.at(-1);
    if (newest && append.length > 0) newest.maxIndex = Math.max(newest.maxIndex, last);
  }

  /** Takes out those that hold nothing after `base`; the newest stays. */
  takeCompacted(base: number): number[] {
    const end = this.#segments.findIndex(({ maxIndex }) => maxIndex > base);
    const count = Math.min(end < 0 ? this.#segments.length : end, this.#segments.length - 1);
    return this.#segments.splice(0, count).map(({ number }) => number);
  }
}

export function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.log`;
}

/** The numbers of the files with this ending, rising. */
export function numbersOf(names: readonly string[], ending: 'log' | 'snapshot'): number[] {
  const pattern = new RegExp(`^(\\d{8,15})\\.${ending}$`);
  return names
    .map((name) => Number(pattern.exec(name)?.[1] ?? Number.NaN))
    .filter((number) => !Number.isNaN(number))
    .sort((a, b) => a - b);
}

/** A new segment that begins with what all before it came to, durable when this resolves. */
export async function createSegment(
  layer: FileLayer,
  directory: string,
  storeId: Uint8Array,
  number: number,
  seq: number,
  checkpoint: Checkpoint,
): Promise<{ file: LayerFile; bytes: number }> {
  const file = await layer.open(join(directory, segmentName(number)), 'create', { through: true });
  try {
    const payload = Checkpoint.encode(checkpoint);
    const header = encodeFileHeader('segment', storeId, number);
    await file.write([header, ...encodeFrame(FrameKind.checkpoint, seq, [payload])], 0);
    await layer.syncDirectory(directory);
    return { file, bytes: FILE_HEADER_BYTES + frameBytes(payload.length) };
  } catch (error) {
    await file.close();
    throw error;
  }
}
