import type { HardState, LogWrite } from '../storage/log-storage.ts';
import type { EntryRun, RaftLog } from './log.ts';
import { type HeldSnapshot, storedSnapshot } from './snapshot.ts';

/** What a write is taken from: as it is when it is taken. */
export interface Persisted {
  readonly log: RaftLog;
  readonly snapshot: HeldSnapshot | undefined;
  readonly hardState: HardState;
}

/** What is to be written, what is being written, and what must not happen before it is durable (Raft §5, Figure 2). */
export class Durability {
  /** The log is durable up to here. */
  index: number;
  #hardDirty: boolean;
  #reset = false;
  #truncateTo: number | undefined;
  #compactTo: number | undefined;
  #snapshotDirty = false;
  #appendFrom: number | undefined;
  #seq = 0;
  /** Writes under way: the last index of each. */
  readonly #writes: { seq: number; last: number }[] = [];
  /** Waits for the hard state of the write with this number. */
  readonly #withheld: { seq: number; run: () => void }[] = [];

  /** Of a store that has the log up to `index`; a `fresh` one has no hard state either. */
  constructor(index: number, fresh: boolean) {
    this.index = index;
    this.#hardDirty = fresh;
  }

  /** The next write appends entries. */
  get appends(): boolean {
    return this.#appendFrom !== undefined;
  }

  handleHardState(): void {
    this.#hardDirty = true;
  }

  /** Runs `run` once everything changed so far since the last write is durable. */
  after(run: () => void): void {
    this.#withheld.push({ seq: this.#seq + 1, run });
  }

  handleAppended(from: number): void {
    this.#appendFrom ??= from;
  }

  handleTruncated(index: number): void {
    this.#limit(index);
    if (this.#appendFrom === undefined || index < this.#appendFrom - 1) {
      this.#truncateTo = Math.min(index, this.#truncateTo ?? index);
    }
    if (this.#appendFrom !== undefined && this.#appendFrom > index) this.#appendFrom = undefined;
  }

  /** Of what was to be written nothing but the hard state is left. */
  handleReset(): void {
    this.#limit(0);
    this.#clear();
    this.#reset = true;
  }

  handleSnapshot(): void {
    this.#snapshotDirty = true;
  }

  handleCompacted(index: number): void {
    this.#compactTo = index;
  }

  handlePersisted(seq: number): void {
    while (this.#writes[0] && this.#writes[0].seq <= seq) {
      this.index = Math.max(this.index, this.#writes[0].last);
      this.#writes.shift();
    }
    while (this.#withheld[0] && this.#withheld[0].seq <= seq) this.#withheld.shift()?.run();
  }

  /** Everything changed since the last one, as one write; undefined when nothing has to be. */
  take(source: Persisted): { seq: number; write: LogWrite } | undefined {
    const { log } = source;
    const append: EntryRun[] = this.#appendFrom === undefined ? [] : log.range(this.#appendFrom, log.last);
    const snapshot = this.#snapshotDirty ? source.snapshot : undefined;
    const more =
      this.#hardDirty ||
      this.#reset ||
      snapshot !== undefined ||
      this.#truncateTo !== undefined ||
      this.#owesWithheld();
    if (!more && append.length === 0) return undefined;
    // Nearly every write is nothing but entries.
    const write: LogWrite =
      more || this.#compactTo !== undefined
        ? {
            ...(this.#hardDirty ? { hardState: source.hardState } : {}),
            ...(this.#reset ? { reset: true } : {}),
            ...(this.#truncateTo === undefined ? {} : { truncateTo: this.#truncateTo }),
            ...(snapshot ? { snapshot: storedSnapshot(snapshot) } : {}),
            ...(this.#compactTo === undefined ? {} : { compactTo: this.#compactTo }),
            ...(append.length > 0 ? { append } : {}),
          }
        : { append };
    this.#hardDirty = false;
    this.#clear();
    this.#seq += 1;
    this.#writes.push({ seq: this.#seq, last: log.last });
    return { seq: this.#seq, write };
  }

  #clear(): void {
    this.#reset = false;
    this.#truncateTo = undefined;
    this.#compactTo = undefined;
    this.#snapshotDirty = false;
    this.#appendFrom = undefined;
  }

  /** What lies above `index` is gone, whatever write of it ends yet. */
  #limit(index: number): void {
    this.index = Math.min(this.index, index);
    for (const write of this.#writes) write.last = Math.min(write.last, index);
  }

  #owesWithheld(): boolean {
    return (this.#withheld.at(-1)?.seq ?? 0) > this.#seq;
  }
}
