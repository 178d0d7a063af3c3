import { sameEpoch } from '../core/epoch.ts';
import type { EntryRun } from '../core/log.ts';
import type { Checkpoint, WriteRecord } from './format.ts';

export const NOTHING_WRITTEN: Checkpoint = { hardState: undefined, snapshot: undefined, base: 0, last: 0 };

/** What is known after a record, beside the entries; its parts take effect in the order that `LogWrite` sets. */
export function advance(state: Checkpoint, record: WriteRecord): Checkpoint {
  const { reset, truncateTo, snapshot, compactTo, append } = record;
  const before = reset ? NOTHING_WRITTEN : state;
  const hardState = record.hardState ?? state.hardState;
  const kept =
    truncateTo === undefined ? before.last : Math.min(before.last, Math.max(truncateTo, before.base));
  const base = Math.max(before.base, compactTo ?? 0);
  let last = Math.max(kept, base);
  for (const { entries } of append) last += entries.length;
  return { hardState, snapshot: snapshot ?? before.snapshot, base, last };
}

/**
 * What the records of a log come to, one after the other.
 *
 * It may begin in the middle: entries of segments that are gone are counted and not there. In the end the ones that
 * still count have to be.
 */
export class LogImage {
  #state: Checkpoint;
  /** Entries from this index on are in `#runs`. */
  #first: number;
  #runs: EntryRun[] = [];

  /** `state`: before the first segment that is left. */
  constructor(state: Checkpoint) {
    this.#state = state;
    this.#first = state.last + 1;
  }

  get state(): Checkpoint {
    return this.#state;
  }

  /** The first index after the base that is not there, undefined when all are. */
  get missing(): number | undefined {
    const { base, last } = this.#state;
    return last > base && this.#first > base + 1 ? base + 1 : undefined;
  }

  /** The entries after the base, which are the caller's. */
  get runs(): EntryRun[] {
    return this.#runs;
  }

  apply(record: WriteRecord): void {
    const after = advance(this.#state, record);
    if (record.reset) this.#reset();
    if (record.truncateTo !== undefined) this.#truncateTo(Math.max(record.truncateTo, this.#state.base));
    this.#compactTo(after.base);
    for (const { epoch, entries } of record.append) {
      const run = this.#runs.at(-1);
      if (run && sameEpoch(run.epoch, epoch)) for (const entry of entries) run.entries.push(entry);
      else if (entries.length > 0) this.#runs.push({ epoch, entries });
    }
    this.#state = after;
  }

  #reset(): void {
    this.#state = NOTHING_WRITTEN;
    this.#first = 1;
    this.#runs = [];
  }

  #truncateTo(index: number): void {
    let excess = this.#state.last - Math.max(index, this.#first - 1);
    while (excess > 0) {
      const run = this.#runs.at(-1);
      if (!run) break;
      const cut = Math.min(excess, run.entries.length);
      run.entries.length -= cut;
      excess -= cut;
      if (run.entries.length === 0) this.#runs.pop();
    }
    this.#first = Math.min(this.#first, index + 1);
  }

  #compactTo(base: number): void {
    while (this.#first <= base) {
      const run = this.#runs[0];
      if (!run) break;
      this.#first += run.entries.splice(0, base + 1 - this.#first).length;
      if (run.entries.length === 0) this.#runs.shift();
    }
    if (this.#runs.length === 0 && this.#first <= base) this.#first = base + 1;
  }
}
