import type { ApplyContext, RaftStatus } from '@mosaik/groups';
import type { HardState, LogWrite } from '@mosaik/raft';
import type { LogEntry, RaftEpoch, RaftMember } from '@mosaik/wire';
import { LogEntry as LogEntrySchema, UniqueId } from '@mosaik/wire';
import { type AgreedLog, describeEntry, hasCommand, isCommand } from './agreed-log.ts';
import { type Disk, epochKey } from './disk.ts';
import type { SimCommand } from './machine.ts';
import type { Life, Member } from './member.ts';

export interface ChecksInit {
  readonly mode: 'dynamic' | 'voters';
  readonly agreed: AgreedLog;
  readonly members: readonly Member[];
  readonly report: (invariant: string, state: string) => void;
  /** A forced epoch begins without what follows `length` in the agreed log. */
  readonly onForgotten: (length: number) => void;
}

/** The invariants that must hold at every moment, whatever fails. */
export class Checks {
  readonly #mode: 'dynamic' | 'voters';
  readonly #agreed: AgreedLog;
  readonly #members: readonly Member[];
  readonly #report: (invariant: string, state: string) => void;
  readonly #onForgotten: (length: number) => void;
  /** Every log store that ever was, by its incarnation: also of those that are gone, for what they once held. */
  readonly #disks = new Map<bigint, Disk>();
  readonly #owners = new Map<Disk, Member>();
  /** Bytes and predecessor of every entry that any log ever held, by epoch and index. */
  readonly #identities = new Map<string, string>();
  /** The epoch of each term, within a side. */
  readonly #epochs = new Map<string, string>();

  constructor(init: ChecksInit) {
    this.#mode = init.mode;
    this.#agreed = init.agreed;
    this.#members = init.members;
    this.#report = init.report;
    this.#onForgotten = init.onForgotten;
  }

  own(disk: Disk, member: Member): void {
    this.#owners.set(disk, member);
  }

  /** Before a log store is written. */
  handleWrite(disk: Disk, { hardState, reset, truncateTo, snapshot, append }: LogWrite): void {
    const name = this.#owners.get(disk)?.name ?? 'a store';
    const before = disk.hardState;
    if (hardState) {
      this.#disks.set(hardState.incarnation, disk);
      if (before) this.#handleHardState(name, before, hardState);
    }
    let last = disk.lastIndex;
    if (truncateTo !== undefined && truncateTo < last) {
      this.#handleTruncation(disk, name, truncateTo, hardState?.term);
      last = truncateTo;
    }
    let previous = disk.at(last)?.key ?? 'the start';
    if (reset) {
      if (!snapshot) this.#handleTruncation(disk, name, 0, hardState?.term);
      last = snapshot?.index ?? 0;
      previous = snapshot ? epochKey(snapshot.epoch) : 'the start';
    }
    if (snapshot) {
      // Its own may be the first that anybody knows of the last entries; another one's was somebody's own.
      if (!reset) this.#agreed.extend(disk, this.#agreed.length + 1, snapshot.index, false);
      if (this.#agreed.at(snapshot.index)?.key !== epochKey(snapshot.epoch))
        this.#report('a snapshot stands for what was committed', `${name} keeps one of ${snapshot.index}`);
    }
    for (const { epoch, entries } of append ?? []) {
      const key = epochKey(epoch);
      for (const entry of entries) {
        last += 1;
        this.#handleAppend(disk, name, last, epoch, key, entry, previous);
        previous = key;
      }
    }
  }

  #handleHardState(name: string, before: HardState, after: HardState): void {
    if (after.incarnation !== before.incarnation) {
      // In dynamic mode a member that yields to another side forgets, and counts as somebody else from then on.
      if (this.#mode === 'voters') this.#report('a log store has one incarnation', `${name} changed its own`);
      return;
    }
    if (after.term < before.term)
      this.#report('terms never go back (Raft §5.1)', `${name}: ${before.term} to ${after.term}`);
    if (before.vote && after.term === before.term && !sameEpoch(before.vote, after.vote))
      this.#report(
        'one vote per term (Raft §5.2)',
        `${name} voted for ${epochKey(before.vote)}, then for ${after.vote ? epochKey(after.vote) : 'none'}`,
      );
  }

  /** A member answered a read as of `index`: as good as saying that so much is committed. */
  handleRead(life: Life, index: number): void {
    const conflict = this.#extend(life, life.applied + 1, index);
    if (conflict) this.#report('a read shows committed state only', `${life.name}: ${conflict}`);
  }

  /** A state machine is given a command. */
  handleApply(life: Life, { op }: SimCommand, { index, term }: ApplyContext): void {
    if (index <= life.applied)
      this.#report(
        'applied never goes back without a reset',
        `${life.name} applies ${index} after ${life.applied}`,
      );
    const conflict = this.#extend(life, life.applied + 1, index);
    if (conflict)
      this.#report('committed entries are the same everywhere (Raft §5.4.3)', `${life.name}: ${conflict}`);
    for (let skipped = life.applied + 1; skipped < index; skipped += 1) {
      const command = this.#agreed.at(skipped)?.command;
      if (command)
        this.#report(
          'every command is applied',
          `${life.name} applies ${index} and left out op ${command.op} at ${skipped}`,
        );
    }
    const agreed = this.#agreed.at(index);
    if (agreed?.command?.op !== op || agreed.epoch.term !== term)
      this.#report(
        'what is applied is what was committed (Raft §5.4.3)',
        `${life.name} applies op ${op} of term ${term} at ${index}; agreed is ${agreed ? `${describeEntry(agreed.entry)} of term ${agreed.epoch.term}` : 'nothing'}`,
      );
    life.applied = index;
  }

  /** After a step: whatever a member says of itself must fit what it said before and what the others say. */
  handleStatus(life: Life, status: RaftStatus): void {
    const before = life.seen;
    if (before === status) return;
    life.seen = status;
    const { name } = life;
    const { state, problem, term, committed, applied, logPosition, leader, online, role } = status;
    if (state === 'diverged' || state === 'failed') {
      this.#report(`no member stops as ${state} without cause`, `${name}: ${problem}`);
      return;
    }
    if (applied > committed || committed > logPosition.index)
      this.#report('applied ≤ committed ≤ last', `${name}: ${applied}, ${committed}, ${logPosition.index}`);
    // A founder that yields to another side takes back its opening entries, which no machine saw.
    const floor =
      this.#mode === 'voters' ? before : { term: 0, committed: life.applied, applied: life.applied };
    if (floor && term < floor.term)
      this.#report('terms never go back (Raft §5.1)', `${name}: ${floor.term} to ${term}`);
    if (floor && committed < floor.committed)
      this.#report('committed never goes back', `${name}: ${floor.committed} to ${committed}`);
    if (floor && applied < floor.applied)
      this.#report('applied never goes back without a reset', `${name}: ${floor.applied} to ${applied}`);
    if (online && leader === undefined && state === 'running')
      this.#report('online means that a leader is known', `${name} is online without`);
    if (role === 'leader') this.#handleLeader(life, status);
    if (committed > (before?.committed ?? 0)) this.#handleCommitted(life, status, before);
  }

  #handleLeader(life: Life, { term }: RaftStatus): void {
    const key = `${sideOf(life.disk)}/${term}/leads`;
    const other = this.#epochs.get(key);
    if (other === undefined) this.#epochs.set(key, life.name);
    else if (other !== life.name)
      this.#report('at most one leader per term (Raft §5.2)', `${other} and ${life.name} in term ${term}`);
  }

  #handleCommitted(life: Life, status: RaftStatus, before: RaftStatus | undefined): void {
    const { disk, name } = life;
    const conflict = this.#extend(life, (before?.committed ?? 0) + 1, status.committed);
    if (conflict)
      this.#report('committed entries are the same everywhere (Raft §5.4.3)', `${name}: ${conflict}`);
    if (status.role !== 'leader') return;
    const newest = disk.at(status.committed);
    if (!newest) return;
    // It may have been a follower still, in an earlier turn of the same moment.
    const ledBefore = before?.role === 'leader' && before.term === status.term;
    if (ledBefore && newest.epoch.term !== status.term)
      this.#report(
        'a leader commits by entries of its own epoch (Raft §5.4.2)',
        `${name} leads term ${status.term} and commits ${status.committed} of term ${newest.epoch.term}`,
      );
    const holdersOf = (set: readonly RaftMember[]) =>
      set.filter(({ incarnation }) => this.#disks.get(incarnation)?.stores(status.committed, newest.key));
    // A leader may have changed the set in the very turn in which it committed under the one before.
    const sets = disk.sets.slice(-2).map((index) => setOf(disk, index));
    if (sets.some((set) => 2 * holdersOf(set).length > set.length)) return;
    const set = sets.at(-1) ?? [];
    this.#report(
      'what is committed is stored by a majority of the set in force',
      `${name} commits ${status.committed} (${describeEntry(newest.entry)}); stored by ${describeSet(holdersOf(set))} of ${describeSet(set)}`,
    );
  }

  #handleTruncation(disk: Disk, name: string, truncateTo: number, newTerm: number | undefined): void {
    for (let index = truncateTo + 1; index <= disk.lastIndex; index += 1) {
      const dropped = disk.at(index);
      if (!dropped || dropped.key !== this.#agreed.at(index)?.key) continue;
      if (this.#mode === 'dynamic' && !isCommand(dropped.entry)) continue;
      this.#report(
        'a committed entry is never removed from a log',
        `${name} drops ${describeEntry(dropped.entry)} at ${index}`,
      );
      return;
    }
    // A founder without commands yields to another side (D6).
    if (this.#mode === 'dynamic' && !hasCommand(disk.entries, truncateTo + 1)) return;
    const status = this.#lifeOf(disk)?.group.status.value;
    // It may have stood down in this very turn, for a higher term.
    if (newTerm !== undefined && newTerm > (status?.term ?? 0)) return;
    if (status?.role === 'leader' && disk.at(truncateTo + 1)?.epoch.term === status.term)
      this.#report('a leader never rewrites its log (Raft §5.3)', `${name} goes back to ${truncateTo}`);
  }

  #handleAppend(
    disk: Disk,
    name: string,
    index: number,
    epoch: RaftEpoch,
    key: string,
    entry: LogEntry,
    previous: string,
  ): void {
    const identity = `${key}/${index}`;
    const content = `${previous}|${fingerprint(LogEntrySchema.encode(entry))}`;
    const known = this.#identities.get(identity);
    if (known !== undefined) {
      if (known !== content)
        this.#report(
          'an epoch and an index name one entry and its predecessor (Raft §5.3)',
          `${name} appends ${describeEntry(entry)} as ${identity} after ${previous}; elsewhere it differs`,
        );
      return;
    }
    this.#identities.set(identity, content);
    if (entry.type === 'Opening')
      this.#handleOpening(disk, name, index, epoch, key, entry.forced, entry.members);
  }

  /** The first time that an epoch's opening is seen anywhere: at its leader, before anybody acts on it. */
  #handleOpening(
    disk: Disk,
    name: string,
    index: number,
    epoch: RaftEpoch,
    key: string,
    forced: boolean,
    members: readonly RaftMember[],
  ): void {
    const side = forced ? key : sideOf(disk);
    const inTerm = this.#epochs.get(`${side}/${epoch.term}`);
    this.#epochs.set(`${side}/${epoch.term}`, key);
    if (inTerm !== undefined && inTerm !== key)
      this.#report('one epoch per term (Raft §5.2)', `${inTerm} and ${key}`);
    if (this.#owners.get(disk)?.id !== epoch.leader)
      this.#report('an epoch is opened by its leader', `${key} was first seen at ${name}`);
    const set = index > 1 ? setOf(disk, index - 1) : members;
    if (forced) {
      if (this.#mode === 'voters' && index > 1)
        this.#report('no forced epochs in voters mode', `${name} opens ${key} at ${index}`);
      this.#handleForced(disk, name, index, key, set);
    }
    const electorate = forced ? members : set;
    const electors = electorate.filter(({ incarnation }) => {
      const elector = this.#disks.get(incarnation);
      return elector?.votes.has(key) || elector?.hardState?.vote?.nonce === epoch.nonce;
    });
    if (2 * electors.length <= electorate.length)
      this.#report(
        'a leader was elected by a majority of the set in force (Raft §5.2)',
        `${name} opens ${key} with votes of ${describeSet(electors)} of ${describeSet(electorate)}`,
      );
    // Leader completeness (Raft §5.4.3): nothing committed is missing from the log of who was elected.
    if (!forced) this.#assertComplete(disk, name, index, key, epoch.term);
  }

  #assertComplete(disk: Disk, name: string, index: number, key: string, term: number): void {
    // One side of two that have not met yet is not bound by what the other committed.
    if (this.#mode === 'dynamic' && !this.#sharesSide(disk)) return;
    // The newest one suffices: equal entries have equal predecessors. One whose last vote came late may begin to lead when
    // later terms have committed already.
    let newest = this.#agreed.length;
    while ((this.#agreed.at(newest)?.epoch.term ?? 0) > term) newest -= 1;
    if (newest === 0 || (newest < index && disk.at(newest)?.key === this.#agreed.at(newest)?.key)) return;
    this.#report(
      'a leader has every committed entry (Raft §5.4.3)',
      `${name} opens ${key} at ${index} without what is committed at ${newest}`,
    );
  }

  /**
   * D4: whoever forces an epoch may lose what was committed, but only what nobody holds whom it could have asked.
   */
  #handleForced(disk: Disk, name: string, index: number, key: string, before: readonly RaftMember[]): void {
    const founder = this.#lifeOf(disk);
    let common = Math.min(index - 1, this.#agreed.length);
    while (common > 0 && disk.at(common)?.key !== this.#agreed.at(common)?.key) common -= 1;
    if (founder && index > 1) {
      const reached = before.filter(({ peer, incarnation }) => {
        const member = this.#members.find(({ id }) => id === peer);
        if (member === founder.member) return true;
        if (member?.disk.incarnation !== incarnation || !founder.group.bonds.has(peer)) return false;
        return sideOf(member.disk) === sideOf(disk);
      });
      if (2 * reached.length > before.length)
        this.#report(
          'nobody forces an epoch who reaches a majority of its set',
          `${name} opens ${key}, bonded with ${describeSet(reached)} of ${describeSet(before)}`,
        );
    }
    const dropped = this.#agreed.at(common + 1);
    if (!dropped) return;
    const holders = this.#members.filter(
      ({ life }) => life?.alive && life.disk.at(common + 1)?.key === dropped.key,
    );
    const asked = holders.find(({ id }) => founder?.group.bonds.has(id));
    if (asked)
      this.#report(
        'a forced epoch keeps every committed entry that a bonded member holds',
        `${name} opens ${key} at ${index} without ${describeEntry(dropped.entry)} at ${common + 1}, which ${asked.name} holds`,
      );
    // While somebody still runs with it, it is not lost: one of the two sides has to yield.
    if (holders.length === 0) this.#onForgotten(common);
  }

  #extend(life: Life, from: number, to: number): string | undefined {
    return this.#agreed.extend(life.disk, from, to, this.#mode === 'dynamic');
  }

  /** The newest forced epoch of the log is one of the agreed log. */
  #sharesSide(disk: Disk): boolean {
    const side = sideOf(disk);
    return disk.sets.some((index) => disk.at(index)?.key === side && this.#agreed.at(index)?.key === side);
  }

  #lifeOf(disk: Disk): Life | undefined {
    const life = this.#owners.get(disk)?.life;
    return life?.disk === disk ? life : undefined;
  }
}

/** The set in force after `index`: of the last entry that names one. */
function setOf(disk: Disk, index: number): readonly RaftMember[] {
  const at = disk.sets.findLast((set) => set <= index);
  const entry = at === undefined ? undefined : disk.at(at)?.entry;
  return entry?.type === 'Opening' || entry?.type === 'View' ? entry.members : [];
}

/** D2: the newest forced epoch of a log. */
function sideOf(disk: Disk): string {
  for (const index of [...disk.sets].reverse()) {
    const held = disk.at(index);
    if (held && isForced(held.entry)) return held.key;
  }
  return 'none';
}

function describeSet(set: readonly RaftMember[]): string {
  const names = set.map(({ peer, incarnation }) => `${peer}#${incarnation.toString(36).slice(0, 4)}`);
  return `{${names.join(' ')}}`;
}

function fingerprint(bytes: Uint8Array): string {
  return bytes.length > 256 ? UniqueId.from(bytes) : Buffer.from(bytes).toString('base64');
}

function isForced(entry: LogEntry): boolean {
  return entry.type === 'Opening' && entry.forced;
}

function sameEpoch(a: RaftEpoch, b: RaftEpoch | undefined): boolean {
  return b !== undefined && epochKey(a) === epochKey(b);
}
