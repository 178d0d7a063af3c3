import type { LogEntry } from '@mosaik/wire';

interface Session {
  answeredBelow: number;
  readonly seen: Set<number>;
}

/**
 * Which commands of a log count, told the plain way: a session is there once it is opened and until its origin opens
 * another one; of the runs with one sequence the first counts. (There are never so many sessions here that one is evicted.)
 */
export class OnceOnly {
  readonly #sessions = new Map<number, Session>();
  readonly #ofOrigin = new Map<string, { index: number; incarnation: bigint }>();
  #run = false;

  /** Asked of every entry, in order. */
  admits(entry: LogEntry, index: number): boolean {
    if (entry.type === 'Session') {
      const before = this.#ofOrigin.get(entry.origin);
      if (before?.incarnation === entry.incarnation) return false;
      if (before) this.#sessions.delete(before.index);
      this.#ofOrigin.set(entry.origin, { index, incarnation: entry.incarnation });
      this.#sessions.set(index, { answeredBelow: 0, seen: new Set() });
      return false;
    }
    if (entry.type === 'Opening' || entry.type === 'View') return false;
    const { session, sequence, unacked } = entry;
    // Further commands of a run have no sequence of their own.
    if (sequence === 0) return this.#run;
    const found = this.#sessions.get(session);
    if (found) found.answeredBelow = Math.max(found.answeredBelow, sequence - unacked);
    this.#run = found !== undefined && sequence >= found.answeredBelow && !found.seen.has(sequence);
    if (this.#run) found?.seen.add(sequence);
    return this.#run;
  }
}
