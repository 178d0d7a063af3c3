import { join } from 'node:path';
import { WireError } from '@mosaik/wire';
import { RaftError } from '../errors.ts';
import type { LogOwner } from '../storage/log-storage.ts';
import type { FileLayer, LayerFile } from './file-layer.ts';
import {
  encodeFileHeader,
  encodeFrame,
  FILE_HEADER_BYTES,
  FrameKind,
  fileHeaderProblem,
  Owner,
  STORE_ID_BYTES,
} from './format.ts';
import { FrameReader } from './frame-reader.ts';
import { damaged } from './storage-error.ts';

/** Says that there is a store, and whose. It is made last: without it nothing was ever acknowledged. */
export const STORE_FILE = 'store';
const UNFINISHED_STORE_FILE = 'store.new';

/** The id of the store in this directory. @throws RaftError `storage-damaged`, `storage-in-use`. */
export async function readStoreFile(
  layer: FileLayer,
  directory: string,
  owner: LogOwner | undefined,
): Promise<Uint8Array> {
  const path = join(directory, STORE_FILE);
  const file = await layer.open(path, 'read');
  try {
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    const length = await file.read(header, 0);
    const storeId = Uint8Array.from(header.subarray(8, 8 + STORE_ID_BYTES));
    const problem = fileHeaderProblem(header.subarray(0, length), 'store', storeId, 0);
    if (problem !== undefined) throw damaged(path, 0, problem);
    const first = await readOwner(file, path);
    if (owner && first && (first.group !== owner.group || first.member !== owner.member)) {
      const [what, id] =
        first.group === owner.group
          ? ['member', first.member]
          : ['group (key, voters, timings)', first.group];
      throw new RaftError('storage-in-use', `${directory} holds the log of another ${what}: ${id}`);
    }
    return storeId;
  } finally {
    await file.close();
  }
}

async function readOwner(file: LayerFile, path: string): Promise<LogOwner | undefined> {
  const reader = new FrameReader(file, path, await file.size());
  const frame = await reader.next(0, false);
  if (!frame || 'type' in frame || frame.kind !== FrameKind.owner)
    throw damaged(path, FILE_HEADER_BYTES, 'it does not say whose it is');
  try {
    return frame.payload.length === 0 ? undefined : Owner.decode(frame.payload);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw damaged(path, frame.offset, error.message);
  }
}

export async function createStoreFile(
  layer: FileLayer,
  directory: string,
  storeId: Uint8Array,
  owner: LogOwner | undefined,
): Promise<void> {
  const unfinished = join(directory, UNFINISHED_STORE_FILE);
  await layer.remove(unfinished).catch(() => {});
  const file = await layer.open(unfinished, 'create');
  try {
    const payload = owner ? [Owner.encode({ group: owner.group, member: owner.member })] : [];
    await file.write([encodeFileHeader('store', storeId, 0), ...encodeFrame(FrameKind.owner, 0, payload)], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await layer.rename(unfinished, join(directory, STORE_FILE));
  await layer.syncDirectory(directory);
}
