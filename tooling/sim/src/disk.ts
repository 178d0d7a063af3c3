import type { HardState, LogStorage, LogWrite, StoredLog, StoredRun, StoredSnapshot } from '@mosaik/raft';
import type { LogEntry, RaftEpoch } from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';

export interface DiskEntry {
  readonly epoch: RaftEpoch;
  /** The epoch as text: equal for equal epochs. */
  readonly key: string;
  readonly entry: LogEntry;
}

export interface DiskObserver {
  /** Before the write takes effect. */
  handleWrite(disk: Disk, write: LogWrite): void;
  /** What a snapshot up to `index` stands for. */
  entriesUpTo(index: number): readonly DiskEntry[];
}

interface Image {
  hardState: HardState | undefined;
  snapshot: StoredSnapshot | undefined;
  /** Entries up to here are given up: kept for the checks only. */
  base: number;
  entries: DiskEntry[];
  /** Indexes of the entries that name the set in force, rising. */
  sets: number[];
}

/**
 * The log store of one incarnation, with a fsync that takes time and a crash that loses what was not synced.
 *
 * Everything a member believes goes through here, so this is where the checks look into logs.
 */
export class Disk implements LogStorage {
  /** What its member believes: every write, synced or not. */
  #written = emptyImage();
  /** What a crash leaves. */
  #stored = emptyImage();
  #unsynced: LogWrite[] = [];
  #opening = 0;
  readonly #observer: DiskObserver;
  /** Votes that reached the disk, by epoch. */
  readonly votes = new Set<string>();

  readonly #lies: boolean;

  /** `lies`: says that all is synced before it is (a planted bug). */
  constructor(observer: DiskObserver, lies = false) {
    this.#observer = observer;
    this.#lies = lies;
  }

  /** Prepares the store for one process; those before it can no longer write. */
  mount(clock: Clock, fsyncMs: () => number): LogStorage {
    this.#opening += 1;
    const opening = this.#opening;
    return {
      open: () => this.open(),
      close: () => this.close(),
      write: (write) => {
        if (opening !== this.#opening) return new Promise(() => {});
        return this.#write(write, clock, fsyncMs(), opening);
      },
    };
  }

  get hardState(): HardState | undefined {
    return this.#written.hardState;
  }

  get incarnation(): bigint | undefined {
    return this.#written.hardState?.incarnation;
  }

  get lastIndex(): number {
    return this.#written.entries.length;
  }

  get entries(): readonly DiskEntry[] {
    return this.#written.entries;
  }

  /** Indexes of the entries that name the set in force, rising. */
  get sets(): readonly number[] {
    return this.#written.sets;
  }

  /** What its member believes to be at `index`, from 1. */
  at(index: number): DiskEntry | undefined {
    return this.#written.entries[index - 1];
  }

  /** Whether a crash now would leave that entry. */
  stores(index: number, key: string): boolean {
    return this.#stored.entries[index - 1]?.key === key;
  }

  /** The process is gone, and with it what was not synced. */
  crash(): void {
    this.#opening += 1;
    this.#unsynced = [];
    const { entries, sets } = this.#stored;
    this.#written = { ...this.#stored, entries: [...entries], sets: [...sets] };
  }

  /** Everything but its incarnation is gone, and it does not know (a planted bug). */
  forget(): void {
    const incarnation = this.#stored.hardState?.incarnation;
    if (incarnation === undefined) return;
    for (const image of [this.#stored, this.#written])
      Object.assign(image, emptyImage(), { hardState: { incarnation, term: 0 } });
  }

  async open(): Promise<StoredLog | undefined> {
    const { hardState, snapshot, base, entries } = this.#written;
    if (!hardState) return undefined;
    const runs: { epoch: RaftEpoch; key: string; entries: LogEntry[] }[] = [];
    for (const { epoch, key, entry } of entries.slice(base)) {
      const run = runs.at(-1);
      if (run?.key === key) run.entries.push(entry);
      else runs.push({ epoch, key, entries: [entry] });
    }
    return {
      hardState,
      snapshot,
      base,
      runs: runs.map((run): StoredRun => ({ epoch: run.epoch, entries: run.entries })),
    };
  }

  write(): Promise<void> {
    throw new Error('a disk is written through what mount() gave');
  }

  async close(): Promise<void> {}

  #write(write: LogWrite, clock: Clock, fsyncMs: number, opening: number): Promise<void> | undefined {
    this.#observer.handleWrite(this, write);
    this.#change(this.#written, write);
    this.#unsynced.push(write);
    if (fsyncMs <= 0 && !this.#lies && this.#unsynced.length === 1) {
      this.#sync();
      return undefined;
    }
    const synced = new Promise<void>((resolve) => {
      clock.schedule(fsyncMs + (this.#lies ? 200 : 0), () => {
        if (opening !== this.#opening) return;
        // An earlier write may take longer than this one: syncing a file syncs all that was written before.
        while (this.#unsynced.includes(write)) this.#sync();
        resolve();
      });
    });
    return this.#lies ? undefined : synced;
  }

  #sync(): void {
    const write = this.#unsynced.shift();
    if (!write) return;
    this.#change(this.#stored, write);
    const vote = write.hardState?.vote;
    if (vote) this.votes.add(epochKey(vote));
  }

  #change(image: Image, write: LogWrite): void {
    const { hardState, reset, truncateTo, snapshot, compactTo } = write;
    if (hardState) image.hardState = hardState;
    if (reset) Object.assign(image, emptyImage(), { hardState: image.hardState });
    if (truncateTo !== undefined && truncateTo < image.entries.length) {
      image.entries.length = truncateTo;
      image.sets = image.sets.filter((index) => index <= truncateTo);
    }
    if (snapshot) {
      image.snapshot = snapshot;
      if (reset) for (const held of this.#observer.entriesUpTo(snapshot.index)) push(image, held);
    }
    image.base = Math.max(image.base, compactTo ?? 0);
    for (const { epoch, entries } of write.append ?? []) {
      const key = epochKey(epoch);
      for (const entry of entries) push(image, { epoch, key, entry });
    }
  }
}

function emptyImage(): Image {
  return { hardState: undefined, snapshot: undefined, base: 0, entries: [], sets: [] };
}

function push({ entries, sets }: Image, held: DiskEntry): void {
  entries.push(held);
  if (held.entry.type === 'Opening' || held.entry.type === 'View') sets.push(entries.length);
}

/** An epoch as text: equal for equal epochs. */
export function epochKey({ term, leader, nonce }: RaftEpoch): string {
  return `${term}.${leader}.${nonce.toString(36)}`;
}
