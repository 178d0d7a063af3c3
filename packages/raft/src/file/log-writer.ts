import { join } from 'node:path';
import type { Clock, Logger, Timer } from '@mosaik/wire/runtime';
import type { LogWrite, StoredSnapshot } from '../storage/log-storage.ts';
import type { FileLayer, LayerFile } from './file-layer.ts';
import { type Checkpoint, encodeFrame, FrameKind, WriteRecord } from './format.ts';
import { advance } from './log-image.ts';
import { createSegment, type SegmentTable, segmentName } from './segments.ts';
import { snapshotName, writeSnapshotFile } from './snapshot-file.ts';
import { failed, isFull } from './storage-error.ts';

/** Records that are joined to one batch, unless one alone is larger. */
const MAX_BATCH_BYTES = 8 << 20;
/** How often a full disk is tried again. */
const FULL_RETRY_MS = 250;

export interface LogWriterInit {
  readonly layer: FileLayer;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly segmentBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The segment that is written to, opened `through`, and where its last batch ends. */
  readonly file: LayerFile;
  readonly offset: number;
  /** All segments, that one last. The writer's from then on. */
  readonly segments: SegmentTable;
  /** Of the next frame. */
  readonly seq: number;
  readonly state: Checkpoint;
  /** Number for the next snapshot's file. */
  readonly nextSnapshot: number;
  /** Why nothing can be acknowledged, undefined when it can again. */
  readonly onProblem: (problem: string | undefined) => void;
}

interface PendingWrite {
  readonly write: LogWrite;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Appends batches to the newest segment, one at a time: whatever arrives while one is made durable is the next one.
 *
 * A batch that could not be made durable was never acknowledged. When the disk is full it is cut off and written again
 * until there is room. Any other failure ends the store: after a failed fsync nothing is known of what the file holds,
 * so the batch is cut off, lest a later run reads it from a cache that lies, and nothing is written any more.
 */
export class LogWriter {
  readonly #init: LogWriterInit;
  #file: LayerFile;
  #offset: number;
  #seq: number;
  #state: Checkpoint;
  #nextSnapshot: number;
  /** The snapshot whose file is there. */
  #keptSnapshot: number | undefined;
  #queue: PendingWrite[] = [];
  #running: Promise<void> | undefined;
  #failure: unknown;
  #closing = false;
  #retry: { timer: Timer; wake: () => void } | undefined;
  #full = false;

  constructor(init: LogWriterInit) {
    this.#init = init;
    this.#file = init.file;
    this.#offset = init.offset;
    this.#seq = init.seq;
    this.#state = init.state;
    this.#nextSnapshot = init.nextSnapshot;
    this.#keptSnapshot = init.state.snapshot?.file;
  }

  write(write: LogWrite): Promise<void> {
    if (this.#failure !== undefined || this.#closing)
      return Promise.reject(this.#failure ?? failed('the log store', 'it is closed'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when everything is durable or was rejected. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#retry?.wake();
    await this.#running;
    await this.#file.close();
  }

  async #run(): Promise<void> {
    // What the same turn still brings belongs to the first batch.
    await undefined;
    let batch: PendingWrite[] = [];
    try {
      while (this.#queue.length > 0) {
        const { payload, records } = await this.#encodeBatch((taken) => {
          batch = taken;
        });
        await this.#untilThereIsRoom('appending a batch', () => this.#append(payload));
        for (const record of records) {
          this.#state = advance(this.#state, record);
          this.#init.segments.note(record, this.#state.last);
        }
        for (const { resolve } of batch) resolve();
        batch = [];
        await this.#removeWhatIsCompacted();
        if (this.#offset >= this.#init.segmentBytes) await this.#roll();
      }
    } catch (error) {
      this.#failure = error;
      const lost = [...batch, ...this.#queue];
      this.#queue = [];
      for (const { reject } of lost) reject(error);
    } finally {
      this.#running = undefined;
    }
  }

  /** Takes what waits, up to a batch; a snapshot's file is durable before the record that names it is written. */
  async #encodeBatch(
    take: (taken: PendingWrite[]) => void,
  ): Promise<{ payload: Uint8Array[]; records: WriteRecord[] }> {
    const payload: Uint8Array[] = [];
    const records: WriteRecord[] = [];
    const taken: PendingWrite[] = [];
    take(taken);
    for (let bytes = 0; bytes < MAX_BATCH_BYTES; ) {
      const next = this.#queue[0];
      // The file of a snapshot takes its time: what came before it does not wait for that.
      if (!next || (next.write.snapshot && taken.length > 0)) break;
      this.#queue.shift();
      taken.push(next);
      const { hardState, reset = false, truncateTo, snapshot, compactTo, append = [] } = next.write;
      const record: WriteRecord = {
        hardState: hardState && { ...hardState, vote: hardState.vote },
        reset,
        truncateTo,
        snapshot: snapshot && (await this.#writeSnapshot(snapshot)),
        compactTo,
        append: append as WriteRecord['append'],
      };
      records.push(record);
      const encoded = WriteRecord.encode(record);
      payload.push(encoded);
      bytes += encoded.length;
    }
    return { payload, records };
  }

  async #append(payload: readonly Uint8Array[]): Promise<void> {
    const frame = encodeFrame(FrameKind.batch, this.#seq, payload);
    const bytes = frame.reduce((sum, piece) => sum + piece.length, 0);
    try {
      await this.#file.write(frame, this.#offset);
    } catch (error) {
      await this.#cutOff(error);
      throw error;
    }
    this.#offset += bytes;
    this.#seq += 1;
  }

  /** Removes what was not acknowledged. When even that fails a full disk is one that failed. */
  async #cutOff(cause: unknown): Promise<void> {
    try {
      await this.#file.truncate(this.#offset);
    } catch (error) {
      throw failed(`cutting off ${this.#path(this.#init.segments.newest)} after ${String(cause)}`, error);
    }
  }

  async #writeSnapshot(snapshot: StoredSnapshot) {
    const { layer, directory, storeId } = this.#init;
    return await this.#untilThereIsRoom('writing a snapshot', async () => {
      const number = this.#nextSnapshot;
      this.#nextSnapshot += 1;
      try {
        return await writeSnapshotFile(layer, directory, storeId, number, snapshot);
      } catch (error) {
        await this.#maybeRemove(snapshotName(number));
        throw error;
      }
    });
  }

  /**
   * Goes on in a new segment, which begins with what all before it came to. Only when it is durable is the old one
   * sealed, and only then is anything written to it: so a segment that is missing in the end is noticed.
   */
  async #roll(): Promise<void> {
    const { layer, directory, storeId, logger } = this.#init;
    const number = this.#init.segments.newest + 1;
    let fresh: { file: LayerFile; bytes: number } | undefined;
    try {
      fresh = await createSegment(layer, directory, storeId, number, this.#seq + 1, this.#state);
      await this.#file.write(encodeFrame(FrameKind.sealed, this.#seq, []), this.#offset);
    } catch (error) {
      await this.#cutOff(error);
      if (!isFull(error)) throw failed(`beginning segment ${this.#path(number)}`, error);
      // The old one grows until there is room for another.
      await fresh?.file.close();
      await this.#maybeRemove(segmentName(number));
      logger.warn({ error }, 'no room for another log segment yet');
      return;
    }
    await this.#file.close();
    this.#file = fresh.file;
    this.#offset = fresh.bytes;
    this.#seq += 2;
    this.#init.segments.begin(number);
    await this.#removeWhatIsCompacted();
  }

  /** Removes the oldest segments that hold nothing after the base, and snapshots that others took the place of. */
  async #removeWhatIsCompacted(): Promise<void> {
    for (const number of this.#init.segments.takeCompacted(this.#state.base))
      await this.#maybeRemove(segmentName(number));
    const current = this.#state.snapshot?.file;
    if (current === this.#keptSnapshot) return;
    if (this.#keptSnapshot !== undefined) await this.#maybeRemove(snapshotName(this.#keptSnapshot));
    this.#keptSnapshot = current;
  }

  /** What stays behind is removed when the store is opened next. */
  async #maybeRemove(name: string): Promise<void> {
    const { layer, directory, logger } = this.#init;
    try {
      await layer.remove(join(directory, name));
    } catch (error) {
      logger.warn(
        { file: name, error },
        'a file of the log that is not needed any more could not be removed',
      );
    }
  }

  /** Tries again while the disk is full. @throws RaftError `storage-failed`. */
  async #untilThereIsRoom<T>(what: string, run: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const done = await run();
        if (this.#full) this.#setFull(undefined);
        return done;
      } catch (error) {
        const problem = failed(`${what} in ${this.#init.directory}`, error);
        if (!isFull(error) || this.#closing) throw problem;
        if (!this.#full) this.#setFull(problem.message);
        await this.#wait();
      }
    }
  }

  #setFull(problem: string | undefined): void {
    this.#full = problem !== undefined;
    const { logger, onProblem } = this.#init;
    if (problem === undefined) logger.info({}, 'there is room for the log again');
    else logger.error({}, `${problem}: nothing is acknowledged until there is room`);
    onProblem(problem);
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#retry?.timer.cancel();
        this.#retry = undefined;
        resolve();
      };
      this.#retry = { timer: this.#init.clock.schedule(FULL_RETRY_MS, wake), wake };
    });
  }

  #path(number: number): string {
    return join(this.#init.directory, segmentName(number));
  }
}
