import type {
  LogEntry,
  PeerId,
  RaftBody,
  RaftEpoch,
  RaftMember,
  RaftMessage,
  SnapshotEnvelope,
} from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import type { Lane } from '../components.ts';
import type { Role } from '../status.ts';
import type { HardState, StoredLog } from '../storage/log-storage.ts';
import { handleLeadershipOver } from './asker.ts';
import type { CoreConfig } from './config.ts';
import { Durability } from './durability.ts';
import { EarlyForwards } from './early-forwards.ts';
import type { Effect } from './effect.ts';
import { firstTimeoutMs, resetElectionTimer } from './election-timer.ts';
import { describeEpoch, isMember, sameEpoch } from './epoch.ts';
import { HeldProposals } from './held.ts';
import type { Leadership } from './leadership.ts';
import { RaftLog } from './log.ts';
import { Outbox } from './outbox.ts';
import type { Peer } from './peer.ts';
import { RequestTable } from './request-table.ts';
import { restoreLog } from './restore-log.ts';
import type { Campaign } from './roles/candidate.ts';
import type { Yielding } from './sides.ts';
import { type HeldSnapshot, holdSnapshot } from './snapshot.ts';
import type { Download } from './sync/download.ts';
import { abandonSync, type Sync } from './sync/sync-state.ts';
import { ForwardTable, ReadTable } from './tables.ts';
import { handleNewLeader, type Transfer } from './transfer.ts';
import { WitnessRetention } from './witness-retention.ts';

/**
 * Everything that a member knows, and the few operations that all roles share. The rules are in the role modules; here
 * is only what keeps the fields consistent with each other.
 */
export class RaftState {
  readonly config: CoreConfig;
  readonly rng: Rng;
  readonly localId: PeerId;
  readonly dynamic: boolean;
  readonly log = new RaftLog();

  /** Persisted together: what the store remembers, the term, and the epoch voted for in it. */
  incarnation: bigint;
  term = 0;
  vote: RaftEpoch | undefined;

  role: Role = 'follower';
  stopped: 'failed' | undefined;
  problem: string | undefined;
  commit: number;
  /** Follower: catches up by itself. */
  sync: Sync | undefined;
  /** A snapshot that was on its way when its leader was lost. */
  interrupted: Download | undefined;
  /** The newest one that was taken or installed here. */
  snapshot: HeldSnapshot | undefined;
  /** A witness only. */
  readonly witness: WitnessRetention | undefined;
  /** Counts what `drain` ends; several drains make one turn. */
  turn = 1;
  leader: PeerId | undefined;
  /** The epoch that is followed or led. */
  epoch: RaftEpoch | undefined;
  /** Follower: the side of its leader, which its own log may still have to reach. */
  followedSide: RaftEpoch | undefined;
  /**
   * The side whose log this one has become a part of, while that side's opening is not in it yet: it has left the side
   * that its last forced epoch names, with or without a leader.
   */
  heading: RaftEpoch | undefined;
  /** This side gave way to another, which has not come yet. */
  yielding: Yielding | undefined;
  /** Follower: its log is the leader's up to here. */
  matched = 0;
  /** Follower: what the leader said to hold durably, and to be committed. */
  leaderDurable = 0;
  leaderCommit = 0;
  /** Follower: reached the leader's commit index once in this epoch. */
  caughtUp = false;
  /** Follower: an append waits for its answer. */
  ackDue = false;
  /** Follower: highest read round seen in this epoch. */
  round = 0;
  /** Follower: what the last answer said. */
  ackedMatch = 0;
  ackedRound = 0;
  /** When this core was last given something to do. */
  lastTurnMs: number;
  /** When a leader was last heard (or this member started). */
  lastContactMs: number;
  electionDeadlineMs: number;
  readonly bootMs: number;
  campaign: Campaign | undefined;
  leadership: Leadership | undefined;
  readonly peers = new Map<PeerId, Peer>();
  /** Members that are gone: since when, whether they said so, and whether they had entries. */
  readonly lost = new Map<
    PeerId,
    { incarnation: bigint; sinceMs: number; departed: boolean; hadLog: boolean }
  >();
  readonly forwards = new ForwardTable();
  readonly reads = new ReadTable();
  /** Leadership on its way to another: until somebody leads, also after standing down. */
  transfer: Transfer | undefined;
  readonly held = new HeldProposals();
  readonly early = new EarlyForwards();
  /** Until then whoever forwards to this member is told to wait for the next leader. */
  movingUntilMs = 0;
  readonly requests = new RequestTable();
  departing = false;
  /** Leaving, it led and began to hand over. */
  transferring = false;
  /** Leaving, and nobody else is there. */
  handedOver = false;
  /** Conflicts that this member would lose, by the other side's leader: since when, and last seen. */
  readonly conflicts = new Map<PeerId, { nonce: bigint; sinceMs: number; seenMs: number }>();
  statusDue = true;
  /**
   * Leadership was handed over: statuses wait until then. There would be more of them than of anything else while the others
   * get going with the next leader, and they tell nothing that is not known.
   */
  settlingUntilMs = 0;
  statusDeadlineMs: number;

  readonly outbox = new Outbox();
  readonly #durability: Durability;

  constructor(config: CoreConfig, rng: Rng, stored: StoredLog | undefined, nowMs: number) {
    this.config = config;
    this.rng = rng;
    this.localId = config.localId;
    this.dynamic = config.consensus.quorum.type === 'Dynamic';
    this.incarnation = stored?.hardState.incarnation ?? rng.u64();
    this.term = stored?.hardState.term ?? 0;
    this.vote = stored?.hardState.vote;
    if (stored) restoreLog(this.log, stored);
    // What a snapshot stands for was committed; the rest is once a leader says so again.
    this.commit = stored?.snapshot?.index ?? 0;
    this.snapshot = stored?.snapshot && holdSnapshot(stored.snapshot);
    this.witness = config.witness ? new WitnessRetention(this.log.base, this.commit) : undefined;
    this.#durability = new Durability(this.log.last, stored === undefined);
    this.bootMs = nowMs;
    this.lastTurnMs = nowMs;
    this.lastContactMs = nowMs;
    this.statusDeadlineMs = nowMs;
    this.electionDeadlineMs = nowMs + config.consensus.bootstrapDelayMs + firstTimeoutMs(this);
  }

  get member(): RaftMember {
    return { peer: this.localId, incarnation: this.incarnation };
  }

  get hardState(): HardState {
    const { incarnation, term, vote } = this;
    return vote ? { incarnation, term, vote } : { incarnation, term };
  }

  /** This member, as what it remembers, is in the set of its log, and that log is of the side it takes part in. */
  get counted(): boolean {
    return this.heading === undefined && isMember(this.log.members, this.localId, this.incarnation);
  }

  /** The log is durable up to here. */
  get durable(): number {
    return this.#durability.index;
  }

  get electionTimeoutMs(): number {
    return this.config.consensus.electionTimeoutMs;
  }

  /** A leader that was heard within an election timeout, which no preference lengthens. */
  hasLiveLeader(nowMs: number): boolean {
    if (this.role === 'leader') return this.leadership?.suspendedSinceMs === undefined;
    return this.leader !== undefined && nowMs < this.lastContactMs + this.electionTimeoutMs;
  }

  /** A leader that takes commands and reads. */
  get serves(): boolean {
    const { leadership } = this;
    return (
      leadership !== undefined && leadership.suspendedSinceMs === undefined && this.yielding === undefined
    );
  }

  isYielding(nowMs: number): boolean {
    return this.yielding !== undefined && nowMs < this.yielding.untilMs;
  }

  /** Where this member takes part: with its leader, else where its log ends (consensus D2). */
  get side(): RaftEpoch | undefined {
    if (this.leader !== undefined && this.role === 'follower') return this.followedSide;
    return this.heading ?? this.log.side;
  }

  /** The log changed while it follows `side`: from now on it belongs there. */
  headFor(side: RaftEpoch | undefined): void {
    this.heading = sameEpoch(side, this.log.side) ? undefined : side;
  }

  /** Whether `peer` holds another history than this member takes part in. */
  isForeign(peer: Peer): boolean {
    return this.dynamic && peer.status !== undefined && !sameEpoch(peer.status.sides[0], this.side);
  }

  /** It led or followed in this member's epoch just now: whatever its last status says, which may be on its way. */
  handleSameSide(id: PeerId): void {
    if (!this.dynamic) return;
    const peer = this.peers.get(id);
    if (!peer?.status || !this.isForeign(peer)) return;
    peer.status = { ...peer.status, sides: this.side ? [this.side] : [] };
    peer.foreignSinceMs = undefined;
  }

  // ---- effects

  emit(effect: Effect): void {
    this.outbox.push(effect);
  }

  send(to: PeerId, body: RaftBody, lane: Lane = 'control'): void {
    this.emit({ type: 'send', to, message: this.message(body), lane });
  }

  message(body: RaftBody): RaftMessage {
    return { incarnation: this.incarnation, body };
  }

  note(level: 'debug' | 'info' | 'warn' | 'error', text: string, fields: object = {}): void {
    this.emit({ type: 'log', level, fields, text });
  }

  changed(): void {
    this.outbox.handleChange();
  }

  /** Effects since the last call, the pending write first. */
  takeEffects(): Effect[] {
    if (!this.settleWrites()) this.#takeWrite();
    return this.outbox.take();
  }

  // ---- durability

  setHardState(term: number, vote: RaftEpoch | undefined): void {
    if (term === this.term && sameEpoch(vote, this.vote)) return;
    this.term = term;
    this.vote = vote;
    this.#durability.handleHardState();
    this.changed();
  }

  /** What this store remembered is given up: from now on it counts as another. */
  forget(): void {
    this.incarnation = this.rng.u64();
    this.#durability.handleHardState();
    this.statusDue = true;
  }

  /** Runs `run` once everything changed so far in this turn is durable. */
  afterPersist(run: () => void): void {
    this.#durability.after(run);
  }

  appendEntries(epoch: RaftEpoch, entries: readonly LogEntry[]): void {
    if (entries.length === 0) return;
    const before = this.log.membersIndex;
    this.#durability.handleAppended(this.log.last + 1);
    this.log.append(epoch, entries);
    this.outbox.handleProgress();
    if (this.log.membersIndex === before) return;
    this.statusDue = true;
    this.changed();
  }

  truncateTo(index: number): void {
    if (index >= this.log.last) return;
    const before = this.log.membersIndex;
    this.log.truncateTo(index);
    this.#durability.handleTruncated(index);
    if (this.log.membersIndex !== before) this.statusDue = true;
    this.changed();
  }

  /** Everything that the log held is given up: it begins anew. */
  resetLog(): void {
    this.log.reset();
    this.snapshot = undefined;
    this.commit = 0;
    this.matched = 0;
    this.#durability.handleReset();
    this.statusDue = true;
    this.changed();
  }

  /** A snapshot that was taken here: from now on it stands for the entries up to `compactTo`. */
  keepSnapshot(snapshot: HeldSnapshot, compactTo: number): void {
    this.snapshot = snapshot;
    this.#durability.handleSnapshot();
    if (compactTo <= this.log.base) return;
    this.log.compactTo(compactTo);
    this.#durability.handleCompacted(compactTo);
  }

  /** A snapshot of others takes the place of the log, of what was committed and of the machine's state. */
  installSnapshot(snapshot: HeldSnapshot, envelope: SnapshotEnvelope): void {
    this.resetLog();
    this.log.install(envelope);
    this.snapshot = snapshot;
    this.#durability.handleSnapshot();
    this.#durability.handleCompacted(envelope.index);
    this.outbox.restoreInstead({ type: 'restore', snapshot, sessions: envelope.sessions });
    this.commitTo(envelope.index);
  }

  /** The end of this turn will write entries. */
  get writes(): boolean {
    return this.#durability.appends;
  }

  /**
   * With a store that is durable at once, what changed so far counts as durable before anything of it is sent: writes
   * are the first effects. True when there was something.
   */
  settleWrites(): boolean {
    if (!this.config.durableAtOnce) return false;
    let settled = false;
    for (let seq = this.#takeWrite(); seq !== undefined; seq = this.#takeWrite()) {
      this.#durability.handlePersisted(seq);
      settled = true;
    }
    return settled;
  }

  handlePersisted(seq: number): void {
    this.#durability.handlePersisted(seq);
  }

  /** The number of the write, if there is one. */
  #takeWrite(): number | undefined {
    const taken = this.#durability.take(this);
    if (!taken) return undefined;
    const { seq, write } = taken;
    this.outbox.pushWrite(seq, write);
    return seq;
  }

  // ---- transitions that every role may take

  /** Follows nobody: in a higher term, or because its leader is gone. */
  becomeFollower(term: number, nowMs: number): void {
    if (term !== this.term) this.setHardState(term, undefined);
    if (this.leadership) {
      this.note('info', 'stands down', { epoch: describeEpoch(this.epoch) });
      handleLeadershipOver(this, this.leadership);
    }
    this.role = 'follower';
    this.campaign = undefined;
    this.leadership = undefined;
    this.clearLeader();
    resetElectionTimer(this, nowMs);
  }

  clearLeader(): void {
    abandonSync(this);
    if (this.leader !== undefined) this.requests.handleLeaderGone(this, this.leader, false);
    this.leader = undefined;
    this.epoch = undefined;
    this.followedSide = undefined;
    this.matched = 0;
    this.leaderDurable = 0;
    this.leaderCommit = 0;
    this.caughtUp = false;
    this.ackDue = false;
    this.round = 0;
    this.ackedMatch = 0;
    this.ackedRound = 0;
    this.reads.handleLeaderGone(this);
    this.statusDue = true;
    this.changed();
  }

  follow(epoch: RaftEpoch, side: RaftEpoch | undefined, nowMs: number): void {
    if (!sameEpoch(epoch, this.epoch) || this.role !== 'follower') {
      if (this.role !== 'follower') this.becomeFollower(epoch.term, nowMs);
      else if (epoch.term !== this.term) this.setHardState(epoch.term, undefined);
      this.clearLeader();
      this.yielding = undefined;
      this.leader = epoch.leader;
      this.epoch = epoch;
      this.followedSide = side;
      this.emit({ type: 'count', name: 'mosaik.groups.raft.leader.changes' });
      this.note('info', 'follows', { epoch: describeEpoch(epoch) });
      handleNewLeader(this, epoch, nowMs);
    }
    this.lastContactMs = nowMs;
    this.conflicts.clear();
    resetElectionTimer(this, nowMs);
  }

  /** Commits up to `index`; applying is the driver's. */
  commitTo(index: number): void {
    if (index <= this.commit) return;
    // An opening, or a change of the set: not only progress.
    if (this.commit < Math.max(this.log.membersIndex, this.leadership?.openingIndex ?? 0)) this.changed();
    this.outbox.handleProgress();
    this.commit = index;
    this.emit({ type: 'apply', to: index });
    this.reads.handleCommit(this);
  }
}
