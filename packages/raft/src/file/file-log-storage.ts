import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Clock, type Logger, silentLogger, systemClock, WatchCell } from '@mosaik/wire/runtime';
import { RaftError } from '../errors.ts';
import type { LogOwner, LogStorage, LogWrite, StoredLog } from '../storage/log-storage.ts';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { type FileLayer, nodeFileLayer } from './file-layer.ts';
import { Checkpoint, FILE_HEADER_BYTES, frameBytes, STORE_ID_BYTES } from './format.ts';
import { NOTHING_WRITTEN } from './log-image.ts';
import { LogWriter } from './log-writer.ts';
import { Recovery } from './recovery.ts';
import { createSegment, numbersOf, segmentName } from './segments.ts';
import { readSnapshotFile, snapshotName } from './snapshot-file.ts';
import { damaged, failed } from './storage-error.ts';
import { createStoreFile, readStoreFile, STORE_FILE } from './store-file.ts';

export interface FileLogStorageOptions {
  /**
   * A segment is followed by another above this size, bytes: default 32 MiB, at least 4 KiB. Compaction removes whole
   * segments only, so small ones give room back sooner and large ones cost fewer files.
   */
  readonly segmentBytes?: number | undefined;
  /** Told of what was cut off, and of a full disk. Default: nobody. */
  readonly logger?: Logger | undefined;
  /** Times the attempts while the disk is full. Default: the machine's. */
  readonly clock?: Clock | undefined;
}

/** What tests replace. */
export interface FileLogStorageComponents {
  readonly layer: FileLayer;
  lock(directory: string): Promise<DirectoryLock>;
}

const MIN_SEGMENT_BYTES = 4096;
const DEFAULT_SEGMENT_BYTES = 32 << 20;

/**
 * A log in files of one directory, which is made when it is missing: it survives the process and the machine.
 *
 * A write is acknowledged when it is on the disk; writes that arrive meanwhile share the next one. A crash
 * costs nothing that was acknowledged. Files that are not as they were written are refused on `open`, but for a write at
 * the very end that a crash cut short. FORMAT.md has the bytes and the reasons.
 *
 * One process at a time may use a directory, and one member of one group ever.
 *
 * @throws RangeError for impossible options. `open` rejects with RaftError `storage-damaged` (names file and byte),
 * `storage-in-use` or `storage-failed`; what `write` gives rejects with `storage-failed`, and nothing is written any more.
 */
export function fileLogStorage(directory: string, options: FileLogStorageOptions = {}): LogStorage {
  return createFileLogStorage(directory, options, { layer: nodeFileLayer, lock: lockDirectory });
}

export function createFileLogStorage(
  directory: string,
  options: FileLogStorageOptions,
  { layer, lock: takeLock }: FileLogStorageComponents,
): LogStorage {
  const { segmentBytes = DEFAULT_SEGMENT_BYTES, logger = silentLogger, clock = systemClock } = options;
  if (!Number.isInteger(segmentBytes) || segmentBytes < MIN_SEGMENT_BYTES)
    throw new RangeError(
      `segmentBytes: expected an integer of at least ${MIN_SEGMENT_BYTES}, got ${segmentBytes}`,
    );
  const problem = new WatchCell<string | undefined>(undefined);
  let lock: DirectoryLock | undefined;
  let writer: LogWriter | undefined;

  const recover = async (owner: LogOwner | undefined): Promise<StoredLog | undefined> => {
    const { storeId, names } = await findStore(layer, directory, owner);
    const recovered = await new Recovery(layer, directory, storeId, logger).run(numbersOf(names, 'log'));
    const { image, segments, offset, seq } = recovered;
    const { state } = image;
    const snapshot = state.snapshot && (await readSnapshotFile(layer, directory, storeId, state.snapshot));
    const snapshots = numbersOf(names, 'snapshot');
    for (const number of snapshots)
      if (number !== state.snapshot?.file) await layer.remove(join(directory, snapshotName(number)));
    const file = await layer.open(join(directory, segmentName(segments.newest)), 'update', { through: true });
    // A process that was killed leaves writes that this one can read and a power cut would still take.
    await file.sync();
    await layer.syncDirectory(directory);
    const nextSnapshot = Math.max(0, ...snapshots) + 1;
    writer = new LogWriter({
      ...{ layer, directory, storeId, segmentBytes, clock, logger },
      ...{ file, offset, segments, seq, state, nextSnapshot },
      onProblem: (text) => problem.set(text),
    });
    const { hardState, base } = state;
    return hardState && { hardState, ...(snapshot ? { snapshot } : {}), base, runs: image.runs };
  };

  return {
    problem,
    async open(owner) {
      if (lock) throw new RaftError('storage-in-use', `${directory} is open already`);
      try {
        await layer.list(directory);
        lock = await takeLock(directory);
        return await recover(owner);
      } catch (error) {
        await lock?.release();
        lock = undefined;
        throw error instanceof RaftError ? error : failed(`opening the log in ${directory}`, error);
      }
    },
    write(write: LogWrite) {
      return writer?.write(write) ?? Promise.reject(failed(`the log in ${directory}`, 'it is not open'));
    },
    async close() {
      await writer?.close();
      writer = undefined;
      await lock?.release();
      lock = undefined;
    },
  };
}

/** The store in a directory; a new one when there is none, and never over what is left of one. */
async function findStore(
  layer: FileLayer,
  directory: string,
  owner: LogOwner | undefined,
): Promise<{ storeId: Uint8Array; names: string[] }> {
  const names = await layer.list(directory);
  const segments = numbersOf(names, 'log');
  if (names.includes(STORE_FILE)) {
    const storeId = await readStoreFile(layer, directory, owner);
    if (segments.length === 0)
      throw damaged(join(directory, segmentName(1)), 0, 'there is no segment at all');
    return { storeId, names };
  }
  for (const number of segments) await removeUnused(layer, directory, number);
  if (numbersOf(names, 'snapshot').length > 0) throw storeMissing(directory);
  const storeId = randomBytes(STORE_ID_BYTES);
  const { file } = await createSegment(layer, directory, storeId, 1, 0, NOTHING_WRITTEN);
  await file.close();
  await createStoreFile(layer, directory, storeId, owner);
  return { storeId, names: [segmentName(1)] };
}

/** What is left of a store that was never finished: a first segment, to which nothing was written. */
async function removeUnused(layer: FileLayer, directory: string, number: number): Promise<void> {
  const path = join(directory, segmentName(number));
  const file = await layer.open(path, 'read');
  const size = await file.size().finally(() => file.close());
  const unused = FILE_HEADER_BYTES + frameBytes(Checkpoint.encode(NOTHING_WRITTEN).length);
  if (number !== 1 || size > unused) throw storeMissing(directory);
  await layer.remove(path);
}

function storeMissing(directory: string): RaftError {
  return damaged(join(directory, STORE_FILE), 0, 'the file is missing, though there is a log');
}
