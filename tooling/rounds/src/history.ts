import type { LedgerEntry } from './ledger.ts';

export interface Write {
  readonly type: 'write';
  readonly key: string;
  readonly id: string;
  readonly startedMs: number;
  endedMs: number;
  outcome: 'acknowledged' | 'refused' | 'unknown';
  index: number;
}

export interface Read {
  readonly type: 'read';
  readonly key: string;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Undefined: the key was absent. */
  readonly entry: LedgerEntry | undefined;
}

/**
 * What clients asked of the group and were told, against the log that the members agree on in the end.
 *
 * The log says in which order the writes took effect, so a history is linearizable when no call that began after
 * another had ended comes before it.
 */
export class History {
  readonly writes: Write[] = [];
  readonly reads: Read[] = [];

  /** Every violation, as a line. `entries`: all that the members hold, in order. */
  problems(entries: readonly LedgerEntry[]): string[] {
    return [...this.#misplaced(entries), ...this.#late(), ...this.#stale(entries)];
  }

  #misplaced(entries: readonly LedgerEntry[]): string[] {
    const found = new Map<string, LedgerEntry>();
    const problems: string[] = [];
    for (const entry of entries) {
      if (found.has(entry.id))
        problems.push(`${entry.id} was applied twice, the second time at ${entry.index}`);
      found.set(entry.id, entry);
    }
    for (const { id, outcome, index } of this.writes) {
      const entry = found.get(id);
      if (outcome === 'acknowledged' && entry?.index !== index)
        problems.push(`acknowledged write lost: ${id} at ${index}, found at ${entry?.index ?? 'no index'}`);
      if (outcome === 'refused' && entry)
        problems.push(`${id} was said to be refused and is at ${entry.index}`);
    }
    return problems;
  }

  /** Writes that took effect before one that had ended when they began. */
  #late(): string[] {
    const acknowledged = this.writes.filter(({ outcome }) => outcome === 'acknowledged');
    const floor = floorOf([
      ...acknowledged,
      ...this.reads.map(({ endedMs, entry }) => ({ endedMs, index: entry?.index ?? 0 })),
    ]);
    return acknowledged
      .filter(({ startedMs, index }) => index <= floor(startedMs))
      .map(({ id, index, startedMs }) => `${id} at ${index} began after ${floor(startedMs)} was known`);
  }

  #stale(entries: readonly LedgerEntry[]): string[] {
    const starts = new Map(this.writes.map(({ id, startedMs }) => [id, startedMs]));
    const indexes = new Map(entries.map(({ id, index }) => [id, index]));
    const problems: string[] = [];
    for (const key of new Set(this.reads.map((read) => read.key))) {
      const reads = this.reads.filter((read) => read.key === key);
      const floor = floorOf([
        ...this.writes.filter((write) => write.key === key && write.outcome === 'acknowledged'),
        ...reads.map(({ endedMs, entry }) => ({ endedMs, index: entry?.index ?? 0 })),
      ]);
      for (const { entry, startedMs, endedMs } of reads) {
        const index = entry?.index ?? 0;
        const what = `read of ${key} gave ${entry?.id ?? 'nothing'} of index ${index}`;
        if (index < floor(startedMs))
          problems.push(`stale ${what}, though ${floor(startedMs)} was known before`);
        if (!entry) continue;
        if (indexes.get(entry.id) !== index) problems.push(`${what}, which is at ${indexes.get(entry.id)}`);
        if ((starts.get(entry.id) ?? Number.POSITIVE_INFINITY) > endedMs)
          problems.push(`${what}, of the future`);
      }
    }
    return problems;
  }
}

/** The highest index that anything had which ended before a time. */
function floorOf(known: readonly { endedMs: number; index: number }[]): (atMs: number) => number {
  const sorted = [...known].sort((a, b) => a.endedMs - b.endedMs);
  const highest: number[] = [];
  for (const { index } of sorted) highest.push(Math.max(index, highest.at(-1) ?? 0));
  return (atMs) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle]?.endedMs ?? 0) < atMs) low = middle + 1;
      else high = middle;
    }
    return highest[low - 1] ?? 0;
  };
}
