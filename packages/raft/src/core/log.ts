import {
  type CommandEntry,
  type LogEntry,
  MAX_RAFT_RUNS,
  MAX_RAFT_SIDES,
  type PeerId,
  type RaftEpoch,
  type RaftMember,
  type RaftRun,
} from '@mosaik/wire';
import { sameEpoch } from './epoch.ts';

/** Entries of one epoch that follow each other. */
export interface EntryRun {
  epoch: RaftEpoch;
  entries: LogEntry[];
}

/** The set that an entry put in force. */
interface SetRecord {
  readonly index: number;
  readonly members: readonly RaftMember[];
  readonly learners: readonly PeerId[];
  /** The epoch, when the entry opened a forced one. */
  readonly forced: RaftEpoch | undefined;
}

const NO_MEMBERS: readonly RaftMember[] = [];
const NO_LEARNERS: readonly PeerId[] = [];

/** The replicated log in memory: entries from index 1, the run table, and the sets that it put in force. */
export class RaftLog {
  readonly #entries: LogEntry[] = [];
  readonly #runs: RaftRun[] = [];
  readonly #sets: SetRecord[] = [];
  /** Lowest index of a command, or 0. */
  #firstCommand = 0;

  get last(): number {
    return this.#entries.length;
  }

  get lastEpoch(): RaftEpoch | undefined {
    return this.#runs.at(-1)?.epoch;
  }

  get lastTerm(): number {
    return this.lastEpoch?.term ?? 0;
  }

  /** The set in force: a change counts from where it was appended, not from where it was committed. */
  get members(): readonly RaftMember[] {
    return this.#sets.at(-1)?.members ?? NO_MEMBERS;
  }

  /** Voters that do not count: new ones, and those that came back having forgotten. */
  get learners(): readonly PeerId[] {
    return this.#sets.at(-1)?.learners ?? NO_LEARNERS;
  }

  /** Index of the entry that put the set in force. */
  get membersIndex(): number {
    return this.#sets.at(-1)?.index ?? 0;
  }

  /** The newest forced epoch, which names the side of this log. */
  get side(): RaftEpoch | undefined {
    for (let i = this.#sets.length - 1; i >= 0; i -= 1) {
      const forced = this.#sets[i]?.forced;
      if (forced) return forced;
    }
    return undefined;
  }

  /** Whether there is any command at all. */
  get settled(): boolean {
    return this.#firstCommand !== 0;
  }

  /** Forced epochs, newest first. */
  sides(): RaftEpoch[] {
    const sides: RaftEpoch[] = [];
    for (let i = this.#sets.length - 1; i >= 0 && sides.length < MAX_RAFT_SIDES; i -= 1) {
      const forced = this.#sets[i]?.forced;
      if (forced) sides.push(forced);
    }
    return sides;
  }

  /** Who was in a set before and is in force no more, with the last incarnation; newest first, at most `max`. */
  formerMembers(max: number): RaftMember[] {
    const seen = new Set<string>(this.members.map((member) => member.peer));
    const former: RaftMember[] = [];
    for (let i = this.#sets.length - 2; i >= 0; i -= 1) {
      for (const member of this.#sets[i]?.members ?? []) {
        if (seen.has(member.peer)) continue;
        if (former.length === max) return former;
        seen.add(member.peer);
        former.push(member);
      }
    }
    return former;
  }

  entryAt(index: number): LogEntry | undefined {
    return this.#entries[index - 1];
  }

  /** The epoch of the entry at `index`; undefined outside of the log. */
  epochAt(index: number): RaftEpoch | undefined {
    if (index < 1 || index > this.#entries.length) return undefined;
    return this.#runs[this.#runAt(index)]?.epoch;
  }

  /** Whether the entry before an append is here; index 0 always is. */
  matches(index: number, epoch: RaftEpoch | undefined): boolean {
    return index === 0 || (epoch !== undefined && sameEpoch(this.epochAt(index), epoch));
  }

  append(epoch: RaftEpoch, entries: readonly LogEntry[]): void {
    if (entries.length === 0) return;
    let run = this.#runs.at(-1);
    if (!run || !sameEpoch(run.epoch, epoch)) {
      run = { epoch, first: this.last + 1 };
      this.#runs.push(run);
    }
    for (const entry of entries) {
      this.#entries.push(entry);
      if (isCommand(entry)) {
        if (this.#firstCommand === 0) this.#firstCommand = this.last;
      } else {
        const forced = entry.type === 'Opening' && entry.forced ? run.epoch : undefined;
        this.#sets.push({ index: this.last, members: entry.members, learners: entry.learners, forced });
      }
    }
  }

  truncateTo(index: number): void {
    this.#entries.length = Math.min(this.#entries.length, index);
    while ((this.#runs.at(-1)?.first ?? 0) > index) this.#runs.pop();
    while ((this.#sets.at(-1)?.index ?? 0) > index) this.#sets.pop();
    if (this.#firstCommand > index) this.#firstCommand = 0;
  }

  /** Whether there is a command after `index`. */
  hasCommandAfter(index: number): boolean {
    if (this.#firstCommand === 0) return false;
    for (let i = this.last; i > index; i -= 1) {
      const entry = this.entryAt(i);
      if (entry && isCommand(entry)) return true;
    }
    return false;
  }

  /**
   * Entries from `from` on, at most `maxBytes` of commands or one run of them: `CommandMore` and what it continues in
   * stay together, so a run is everywhere whole or absent.
   */
  slice(from: number, maxBytes: number, maxEntries: number): { runs: EntryRun[]; to: number; bytes: number } {
    let bytes = 0;
    let to = from - 1;
    let keptBytes = 0;
    for (let i = from; i <= this.last; i += 1) {
      const entry = this.#entries[i - 1];
      if (!entry) break;
      bytes += entryBytes(entry);
      if (to >= from && (bytes > maxBytes || i - from >= maxEntries)) break;
      if (entry.type !== 'CommandMore') {
        to = i;
        keptBytes = bytes;
      }
    }
    return { runs: this.range(from, to), to, bytes: keptBytes };
  }

  /** The entries from `from` to `to`, grouped by epoch; newly allocated arrays of the log's own entries. */
  range(from: number, to: number): EntryRun[] {
    const runs: EntryRun[] = [];
    if (to < from) return runs;
    let at = from;
    for (let r = this.#runAt(from); at <= to; r += 1) {
      const run = this.#runs[r];
      if (!run) break;
      const end = Math.min(to, (this.#runs[r + 1]?.first ?? this.last + 1) - 1);
      runs.push({ epoch: run.epoch, entries: this.#entries.slice(at - 1, end) });
      at = end + 1;
    }
    return runs;
  }

  /** The run table up to `index`, oldest first, its newest part if it is long. */
  runsUpTo(index: number): RaftRun[] {
    if (index < 1 || this.#runs.length === 0) return [];
    const end = this.#runAt(Math.min(index, this.last)) + 1;
    return this.#runs.slice(Math.max(0, end - MAX_RAFT_RUNS), end);
  }

  /**
   * The last index where this log agrees with another, known by its run table and last index. `exact` is false when the
   * part of the table that was sent does not reach back far enough; `index` is then an upper bound.
   */
  commonWith(theirRuns: readonly RaftRun[], theirLast: number): { index: number; exact: boolean } {
    let theirEnd = theirLast;
    for (let i = theirRuns.length - 1; i >= 0; i -= 1) {
      const theirs = theirRuns[i];
      if (!theirs) continue;
      const own = this.#runs.findLastIndex((run) => sameEpoch(run.epoch, theirs.epoch));
      const ownRun = this.#runs[own];
      if (ownRun && ownRun.first === theirs.first) {
        const ownEnd = (this.#runs[own + 1]?.first ?? this.last + 1) - 1;
        // A table that contradicts itself must not lead outside of the log.
        return { index: Math.max(0, Math.min(theirEnd, ownEnd)), exact: true };
      }
      theirEnd = theirs.first - 1;
    }
    return { index: Math.max(0, theirEnd), exact: theirEnd <= 0 };
  }

  #runAt(index: number): number {
    let low = 0;
    let high = this.#runs.length - 1;
    if ((this.#runs[high]?.first ?? 0) <= index) return high;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#runs[middle]?.first ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** What an entry weighs against the limits of an append. */
export function entryBytes(entry: LogEntry): number {
  return isCommand(entry) ? entry.value.length + 8 : 16 + entry.members.length * 48;
}

/** Something that state machines see. */
export function isCommand(entry: LogEntry): entry is CommandEntry {
  return entry.type === 'Command' || entry.type === 'CommandMore';
}
