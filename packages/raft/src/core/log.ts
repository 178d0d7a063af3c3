import {
  type CommandEntry,
  type LogEntry,
  MAX_RAFT_RUNS,
  MAX_RAFT_SIDES,
  type PeerId,
  type RaftEpoch,
  type RaftMember,
  type RaftRun,
  type SnapshotEnvelope,
} from '@mosaik/wire';
import { isMember, sameEpoch } from './epoch.ts';
import { commonPrefix } from './runs.ts';

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
  /** The newest forced epoch, from this entry on. */
  readonly side: RaftEpoch | undefined;
}

/** What a command weighs beside its own bytes: about what names it on the wire. */
export const COMMAND_OVERHEAD_BYTES = 16;
export const SESSION_BYTES = 48;
/** What V8 needs for an entry beside its bytes: 180 of a command's were measured. */
const ENTRY_OBJECT_BYTES = 192;

const NO_MEMBERS: readonly RaftMember[] = [];
const NO_LEARNERS: readonly PeerId[] = [];
/** Former members that are remembered. */
const MAX_FORMER = 64;

/**
 * The replicated log in memory: entries, the run table, and the sets that it put in force.
 *
 * Entries up to `base` may be given up (Raft §7); what they came to stays: the runs they were of, the set in force, who
 * was in one before, the forced epochs, and whether there was a command.
 */
export class RaftLog {
  readonly #entries: LogEntry[] = [];
  #base = 0;
  /** Of all entries, the oldest left out once they are below the base and more than a message may list. */
  readonly #runs: RaftRun[] = [];
  /** The set in force at the base, and those after it. */
  readonly #sets: SetRecord[] = [];
  /** Of the sets before those: members and forced epochs, newest first. */
  #former: readonly RaftMember[] = [];
  #forced: readonly RaftEpoch[] = [];
  /** Index of the last command, and of the last one up to the base; 0 for none. */
  #lastCommand = 0;
  #baseCommand = 0;

  /** Entries up to here are not kept; at most the commit index. */
  get base(): number {
    return this.#base;
  }

  get last(): number {
    return this.#base + this.#entries.length;
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
    const set = this.#sets.at(-1);
    return set ? set.side : this.#forced[0];
  }

  /** Index of the last command; 0 when there is none. */
  get lastCommand(): number {
    return this.#lastCommand;
  }

  /** Forced epochs of the entries up to `upTo`, newest first. */
  sides(upTo = this.last): RaftEpoch[] {
    const sides: RaftEpoch[] = [];
    for (let i = this.#setAt(upTo); i >= 0; i -= 1) {
      const forced = this.#sets[i]?.forced;
      if (forced) sides.push(forced);
    }
    return [...sides, ...this.#forced].slice(0, MAX_RAFT_SIDES);
  }

  /** Who was in a set before and is in force no more, with the last incarnation; newest first, at most `max`. */
  formerMembers(max: number, upTo = this.last): RaftMember[] {
    const inForce = this.#setAt(upTo);
    const seen = new Set<string>(this.#sets[inForce]?.members.map((member) => member.peer));
    const former: RaftMember[] = [];
    const consider = (members: readonly RaftMember[]) => {
      for (const member of members) {
        if (seen.has(member.peer) || former.length >= max) continue;
        seen.add(member.peer);
        former.push(member);
      }
    };
    for (let i = inForce - 1; i >= 0; i -= 1) consider(this.#sets[i]?.members ?? []);
    consider(this.#former);
    return former;
  }

  /** Index of the first set without a member that counted before; undefined while it counts, or never did. */
  leftAt({ peer, incarnation }: RaftMember): number | undefined {
    const last = this.#sets.findLastIndex(({ members }) => isMember(members, peer, incarnation));
    return last < 0 ? undefined : this.#sets[last + 1]?.index;
  }

  entryAt(index: number): LogEntry | undefined {
    return index > this.#base ? this.#entries[index - this.#base - 1] : undefined;
  }

  /** The epoch of the entry at `index`, kept or not; undefined outside of the log, and where its runs are forgotten. */
  epochAt(index: number): RaftEpoch | undefined {
    if (index < this.#firstKnown || index > this.last) return undefined;
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
        this.#lastCommand = this.last;
      } else if (entry.type !== 'Session') {
        const forced = entry.type === 'Opening' && entry.forced ? run.epoch : undefined;
        const { members, learners } = entry;
        this.#sets.push({ index: this.last, members, learners, forced, side: forced ?? this.side });
      }
    }
  }

  truncateTo(index: number): void {
    if (index < this.#base) throw new Error(`truncates to ${index}, below the base ${this.#base}`);
    this.#entries.length = Math.min(this.#entries.length, index - this.#base);
    while ((this.#runs.at(-1)?.first ?? 0) > index) this.#runs.pop();
    while ((this.#sets.at(-1)?.index ?? 0) > index) this.#sets.pop();
    this.#lastCommand = this.#lastCommandUpTo(Math.min(this.#lastCommand, index));
  }

  /** Gives up the entries up to `index`, which must be committed. */
  compactTo(index: number): void {
    if (index <= this.#base) return;
    if (index > this.last) throw new Error(`compacts to ${index}, beyond the last entry ${this.last}`);
    this.#former = this.formerMembers(MAX_FORMER, index);
    const inForce = this.#setAt(index);
    const dropped = this.#sets.splice(0, Math.max(0, inForce));
    const forced = dropped.flatMap((set) => set.forced ?? []).reverse();
    this.#forced = [...forced, ...this.#forced].slice(0, MAX_RAFT_SIDES);
    this.#runs.splice(0, Math.max(0, this.#runAt(index) + 1 - MAX_RAFT_RUNS));
    this.#baseCommand = this.#lastCommandUpTo(index);
    this.#entries.splice(0, index - this.#base);
    this.#base = index;
  }

  /** What the entries up to `index` came to, `index` being between the base and the last entry. */
  envelopeAt(index: number, sessions: Uint8Array): SnapshotEnvelope {
    const epoch = this.epochAt(index);
    if (!epoch) throw new Error(`no envelope for ${index}: the log ends at ${this.last}`);
    const set = this.#sets[this.#setAt(index)];
    return {
      epoch,
      index,
      runs: this.runsUpTo(index),
      members: [...(set?.members ?? [])],
      learners: [...(set?.learners ?? [])],
      membersIndex: set?.index ?? 0,
      forced: this.sides(index),
      former: this.formerMembers(MAX_FORMER, index),
      lastCommand: this.#lastCommandUpTo(index),
      sessions,
    };
  }

  /** Becomes what the envelope tells, without entries: whatever was here is gone. */
  install(envelope: SnapshotEnvelope): void {
    this.reset();
    this.#base = envelope.index;
    this.#runs.push(...envelope.runs);
    this.#former = envelope.former;
    this.#forced = envelope.forced;
    const { membersIndex, members, learners } = envelope;
    this.#sets.push({ index: membersIndex, members, learners, forced: undefined, side: this.side });
    this.#lastCommand = envelope.lastCommand;
    this.#baseCommand = envelope.lastCommand;
  }

  /** After `install`: entries behind its index that were kept, oldest first. */
  retain(entries: readonly LogEntry[]): void {
    if (this.#entries.length > 0) throw new Error('retains entries behind others');
    // Without their epochs they would be of no use.
    const kept = Math.min(entries.length, this.#base + 1 - this.#firstKnown);
    this.#base -= kept;
    // At most: which it was before those entries is not known.
    this.#baseCommand = Math.min(this.#baseCommand, this.#base);
    this.#entries.push(...entries.slice(entries.length - kept));
  }

  /** Empty again. */
  reset(): void {
    this.#entries.length = 0;
    this.#base = 0;
    this.#runs.length = 0;
    this.#sets.length = 0;
    this.#former = [];
    this.#forced = [];
    this.#lastCommand = 0;
    this.#baseCommand = 0;
  }

  /**
   * Entries from `from` on, at most `maxBytes` of commands or one run of them, of as many epochs as a message may name:
   * `CommandMore` and what it continues in stay together, so a run is everywhere whole or absent.
   */
  slice(from: number, maxBytes: number, maxEntries: number): { runs: EntryRun[]; to: number; bytes: number } {
    let bytes = 0;
    let to = from - 1;
    let keptBytes = 0;
    const unnamed = this.#runs[this.#runAt(from) + MAX_RAFT_RUNS]?.first ?? this.last + 1;
    for (let i = from; i < unnamed; i += 1) {
      const entry = this.entryAt(i);
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
    if (from <= this.#base) throw new Error(`entry ${from} is not kept: the base is ${this.#base}`);
    let at = from;
    for (let r = this.#runAt(from); at <= to; r += 1) {
      const run = this.#runs[r];
      if (!run) break;
      const end = Math.min(to, (this.#runs[r + 1]?.first ?? this.last + 1) - 1);
      runs.push({ epoch: run.epoch, entries: this.#entries.slice(at - 1 - this.#base, end - this.#base) });
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
   * tables do not reach back far enough; `index` is then an upper bound.
   */
  commonWith(theirRuns: readonly RaftRun[], theirLast: number): { index: number; exact: boolean } {
    return commonPrefix({ runs: this.#runs, last: this.last }, { runs: theirRuns, last: theirLast });
  }

  #lastCommandUpTo(index: number): number {
    for (let i = index; i > this.#base; i -= 1) {
      const entry = this.entryAt(i);
      if (entry && isCommand(entry)) return i;
    }
    return this.#baseCommand;
  }

  /** From here on the run table tells the epoch of every entry. */
  get #firstKnown(): number {
    return this.#runs[0]?.first ?? 1;
  }

  /** Which of the sets was in force at `index`; −1 for none. */
  #setAt(index: number): number {
    if ((this.#sets.at(-1)?.index ?? 0) <= index) return this.#sets.length - 1;
    return this.#sets.findLastIndex((set) => set.index <= index);
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
  if (isCommand(entry)) return entry.value.length + COMMAND_OVERHEAD_BYTES;
  return entry.type === 'Session' ? SESSION_BYTES : 16 + entry.members.length * 48;
}

/** What it takes to keep an entry in memory: of a small one most of it is not its bytes. */
export function entryMemory(entry: LogEntry): number {
  return entryBytes(entry) + ENTRY_OBJECT_BYTES;
}

/** Something that state machines see. */
export function isCommand(entry: LogEntry): entry is CommandEntry {
  return entry.type === 'Command' || entry.type === 'CommandMore' || entry.type === 'Keyed';
}
