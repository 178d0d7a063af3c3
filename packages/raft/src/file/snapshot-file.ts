import { join } from 'node:path';
import type { StoredSnapshot } from '../storage/log-storage.ts';
import type { FileLayer, LayerFile } from './file-layer.ts';
import {
  encodeFileHeader,
  encodeFrame,
  FILE_HEADER_BYTES,
  FrameKind,
  fileHeaderProblem,
  type SnapshotRef,
} from './format.ts';
import { FrameReader } from './frame-reader.ts';
import { damaged } from './storage-error.ts';

/** Written at a time. */
const WRITE_BYTES = 4 << 20;

export function snapshotName(number: number): string {
  return `${String(number).padStart(8, '0')}.snapshot`;
}

/** Writes a snapshot to a file of its own, durable when this resolves. It counts once a record of the log names it. */
export async function writeSnapshotFile(
  layer: FileLayer,
  directory: string,
  storeId: Uint8Array,
  number: number,
  snapshot: StoredSnapshot,
): Promise<SnapshotRef> {
  const path = join(directory, snapshotName(number));
  const file = await layer.open(path, 'create');
  let bytes = 0;
  try {
    let pieces: Uint8Array[] = [encodeFileHeader('snapshot', storeId, number)];
    let gathered = FILE_HEADER_BYTES;
    const flush = async () => {
      await file.write(pieces, bytes);
      bytes += gathered;
      pieces = [];
      gathered = 0;
    };
    const add = async (kind: number, seq: number, payload: readonly Uint8Array[]) => {
      for (const piece of encodeFrame(kind, seq, payload)) {
        pieces.push(piece);
        gathered += piece.length;
      }
      if (gathered >= WRITE_BYTES) await flush();
    };
    await add(FrameKind.envelope, 0, [snapshot.envelope]);
    let seq = 1;
    for (const chunk of snapshot.chunks) {
      await add(FrameKind.chunk, seq, [chunk]);
      seq += 1;
    }
    await add(FrameKind.end, seq, []);
    await flush();
    await file.sync();
  } finally {
    await file.close();
  }
  await layer.syncDirectory(directory);
  return { file: number, bytes, index: snapshot.index, epoch: snapshot.epoch };
}

/** @throws RaftError `storage-damaged`. */
export async function readSnapshotFile(
  layer: FileLayer,
  directory: string,
  storeId: Uint8Array,
  ref: SnapshotRef,
): Promise<StoredSnapshot> {
  const path = join(directory, snapshotName(ref.file));
  let file: LayerFile;
  try {
    file = await layer.open(path, 'read');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    throw damaged(path, 0, 'the file is missing');
  }
  try {
    const size = await file.size();
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    const problem = fileHeaderProblem(
      header.subarray(0, await file.read(header, 0)),
      'snapshot',
      storeId,
      ref.file,
    );
    if (problem !== undefined) throw damaged(path, 0, problem);
    if (size !== ref.bytes)
      throw damaged(path, Math.min(size, ref.bytes), `it has ${size} of ${ref.bytes} bytes`);
    const reader = new FrameReader(file, path, size);
    let envelope: Uint8Array | undefined;
    const chunks: Uint8Array[] = [];
    for (let seq = 0; ; seq += 1) {
      const frame = await reader.next(seq, false);
      if (!frame || 'type' in frame) throw damaged(path, reader.offset, 'its end is missing');
      if (frame.kind === FrameKind.end && envelope !== undefined) break;
      if (frame.kind !== (seq === 0 ? FrameKind.envelope : FrameKind.chunk))
        throw damaged(path, frame.offset, `a frame of kind ${frame.kind} is out of place`);
      // Plain views: what a Buffer's `slice` gives is not what its users expect.
      const part = new Uint8Array(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length);
      if (seq === 0) envelope = part;
      else chunks.push(part);
    }
    return { index: ref.index, epoch: ref.epoch, envelope: envelope ?? new Uint8Array(), chunks };
  } finally {
    await file.close();
  }
}
