import type { PeerId, RaftEpoch } from '@mosaik/wire';
import type { RefusalReason } from './effect.ts';
import { sameEpoch } from './epoch.ts';
import { type ProposalBatch, part } from './proposal-batch.ts';
import type { RaftState } from './state.ts';

interface ForwardRecord {
  batch: ProposalBatch;
  bytes: number;
  readonly leader: PeerId;
  /** In which it is to take them. */
  readonly epoch: RaftEpoch;
  /** It did not lead yet, as far as this member knew. */
  readonly early: boolean;
  readonly deadlineMs: number;
}

/** Proposals that this follower forwarded and has no answer for. */
export class ForwardTable {
  #records: ForwardRecord[] = [];
  bytes = 0;

  get nextDeadlineMs(): number | undefined {
    return this.#records[0]?.deadlineMs;
  }

  add(record: ForwardRecord): void {
    this.#records.push(record);
    this.bytes += record.bytes;
  }

  /**
   * Takes `count` proposals from `first` on as answered by `from`, in `epoch` if the answer says so; undefined when they
   * were not asked of it.
   */
  settle(
    from: PeerId,
    first: number,
    count: number,
    epoch?: RaftEpoch,
  ): Pick<ForwardRecord, 'batch' | 'early'> | undefined {
    const at = this.#records.findIndex(({ batch, leader }) => batch.first === first && leader === from);
    const record = this.#records[at];
    if (!record || count < 1 || count > record.batch.proposals.length) return undefined;
    if (epoch && !sameEpoch(epoch, record.epoch)) return undefined;
    const { batch, early } = record;
    if (count === batch.proposals.length) {
      this.#records.splice(at, 1);
      this.bytes -= record.bytes;
      return record;
    }
    record.batch = part(batch, count, batch.proposals.length);
    return { batch: part(batch, 0, count), early };
  }

  giveUp(state: RaftState, lost: (record: ForwardRecord) => boolean): void {
    if (this.#records.length === 0) return;
    this.#records = this.#records.filter((record) => {
      if (!lost(record)) return true;
      this.bytes -= record.bytes;
      const { first, proposals } = record.batch;
      state.emit({ type: 'uncertain', first, count: proposals.length });
      return false;
    });
  }

  giveUpAll(state: RaftState): void {
    this.giveUp(state, () => true);
  }
}

/** Reads of one caller: this member's driver (`from` undefined) or a follower that asked for it. */
export interface ReadBatch {
  readonly first: number;
  readonly count: number;
  readonly from: PeerId | undefined;
}

/** Linearizable reads on their way: asked here, in a round, or waiting to be applied. */
export class ReadTable {
  /** Leader: not in a round yet. */
  #queued: ReadBatch[] = [];
  /** Leader: rounds that were sent, oldest first. */
  readonly #rounds: { round: number; index: number; batches: ReadBatch[] }[] = [];
  /** Follower: to be asked, or asked of the leader. */
  #unasked: ReadBatch[] = [];
  #asked: { batch: ReadBatch; leader: PeerId; deadlineMs: number }[] = [];
  /** Granted, not yet committed here. */
  #granted: { batch: ReadBatch; index: number }[] = [];
  /** This member's, waiting for the next leader. */
  #held: ReadBatch[] = [];
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get hasQueued(): boolean {
    return this.#queued.length > 0;
  }

  get nextDeadlineMs(): number | undefined {
    return this.#asked[0]?.deadlineMs;
  }

  queue(batch: ReadBatch): void {
    this.#queued.push(batch);
    this.#count += batch.count;
  }

  /** Leader: what is queued goes into this round, which is about to be sent. */
  startRound(round: number, index: number): void {
    this.#rounds.push({ round, index, batches: this.#queued });
    this.#queued = [];
  }

  /** Leader: a majority answered an append sent with this round, or a later one. */
  handleRound(state: RaftState, confirmed: number): void {
    while (this.#rounds[0] && this.#rounds[0].round <= confirmed) {
      const done = this.#rounds.shift();
      for (const batch of done?.batches ?? []) this.#grant(state, batch, done?.index ?? 0);
    }
  }

  ask(batch: ReadBatch): void {
    this.#unasked.push(batch);
    this.#count += batch.count;
  }

  /** Follower: one request for all that came since the last one, but for what was held back and has gaps. */
  sendAsked(state: RaftState, leader: PeerId, nowMs: number): void {
    if (this.#unasked.length === 0) return;
    const deadlineMs = nowMs + state.config.consensus.queryTimeoutMs;
    for (const batch of joined(this.#unasked)) {
      this.#asked.push({ batch, leader, deadlineMs });
      state.send(leader, { type: 'ReadRequest', read: batch.first });
    }
    this.#unasked = [];
  }

  handleGranted(state: RaftState, from: PeerId, read: number, index: number): void {
    const asked = this.#takeAsked(from, read);
    if (!asked) return;
    this.#granted.push({ batch: asked, index });
    this.handleCommit(state);
  }

  /** Follower: the leader refused what it was asked, which is no longer here. */
  takeRefused(from: PeerId, read: number): ReadBatch | undefined {
    const asked = this.#takeAsked(from, read);
    if (asked) this.#count -= asked.count;
    return asked;
  }

  /** Leadership is moving: it waits for the next leader. */
  hold(batch: ReadBatch): void {
    this.#held.push(batch);
    this.#count += batch.count;
  }

  /** Leadership is clear again, or will not be soon: what waited, which is no longer here. */
  takeHeld(): readonly ReadBatch[] {
    const held = this.#held;
    this.#held = [];
    for (const { count } of held) this.#count -= count;
    return held;
  }

  /** Answers what is granted up to the commit index. */
  handleCommit(state: RaftState): void {
    if (this.#granted.length === 0) return;
    this.#granted = this.#granted.filter(({ batch, index }) => {
      if (index > state.commit) return true;
      this.#ready(state, batch);
      return false;
    });
  }

  /** The leader is gone, or this member stopped being it: reads of its own wait if another one is about to lead. */
  handleLeaderGone(state: RaftState): void {
    const moving = state.held.active;
    for (const batch of this.#takeAll()) {
      if (moving && batch.from === undefined) this.hold(batch);
      else this.refuse(state, batch, moving ? 'Moving' : 'Offline');
    }
  }

  refuseAll(state: RaftState, reason: RefusalReason): void {
    for (const batch of this.#takeAll()) this.refuse(state, batch, reason);
  }

  #takeAll(): ReadBatch[] {
    const batches = [
      ...this.#queued,
      ...this.#rounds.flatMap(({ batches }) => batches),
      ...this.#unasked,
      ...this.#asked.map(({ batch }) => batch),
      ...this.#granted.map(({ batch }) => batch),
      ...this.#held,
    ];
    this.#queued = [];
    this.#rounds.length = 0;
    this.#unasked = [];
    this.#asked = [];
    this.#granted = [];
    this.#held = [];
    this.#count = 0;
    return batches;
  }

  /** A follower that asked is gone. */
  forgetPeer(peer: PeerId): void {
    this.#queued = this.#queued.filter((batch) => this.#keep(batch, peer));
    for (const round of this.#rounds) {
      round.batches = round.batches.filter((batch) => this.#keep(batch, peer));
    }
  }

  handleTick(state: RaftState, nowMs: number): void {
    if ((this.#asked[0]?.deadlineMs ?? Number.POSITIVE_INFINITY) > nowMs) return;
    const late = this.#asked.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    this.#asked = this.#asked.filter(({ deadlineMs }) => deadlineMs > nowMs);
    for (const { batch } of late) {
      this.#count -= batch.count;
      this.refuse(state, batch, 'Offline');
    }
  }

  #keep(batch: ReadBatch, gone: PeerId): boolean {
    if (batch.from !== gone) return true;
    this.#count -= batch.count;
    return false;
  }

  #takeAsked(from: PeerId, read: number): ReadBatch | undefined {
    const at = this.#asked.findIndex(({ batch, leader }) => batch.first === read && leader === from);
    return at < 0 ? undefined : this.#asked.splice(at, 1)[0]?.batch;
  }

  #grant(state: RaftState, batch: ReadBatch, index: number): void {
    if (batch.from === undefined) {
      this.#granted.push({ batch, index });
      this.handleCommit(state);
    } else {
      this.#count -= batch.count;
      state.send(batch.from, { type: 'ReadGranted', read: batch.first, index });
    }
  }

  #ready(state: RaftState, batch: ReadBatch): void {
    this.#count -= batch.count;
    state.emit({ type: 'read-ready', first: batch.first, count: batch.count });
  }

  /** Tells whoever asked; what is refused is not here, or no longer. */
  refuse(state: RaftState, batch: ReadBatch, reason: RefusalReason): void {
    if (batch.from === undefined) {
      state.emit({ type: 'read-refused', first: batch.first, count: batch.count, reason });
    } else {
      state.send(batch.from, { type: 'ReadRefused', read: batch.first, reason: { type: reason } });
    }
  }
}

/** Batches of one member whose numbers follow each other, as one. */
function joined(batches: readonly ReadBatch[]): ReadBatch[] {
  const runs: ReadBatch[] = [];
  for (const batch of batches.toSorted((a, b) => a.first - b.first)) {
    const last = runs.at(-1);
    if (last && last.first + last.count === batch.first)
      runs[runs.length - 1] = { ...last, count: last.count + batch.count };
    else runs.push(batch);
  }
  return runs;
}
