import type { PeerId, RaftBody, RaftEpoch } from '@mosaik/wire';
import { describeEpoch, sameEpoch } from './epoch.ts';
import type { Standing } from './peer.ts';
import { outranks, tableOf } from './rank.ts';
import { campaignAt } from './roles/candidate.ts';
import type { Leadership } from './roles/leader.ts';
import { type Destination, meetForeignLeader, moveOver } from './sides.ts';
import { describeSelf } from './standing.ts';
import type { RaftState } from './state.ts';
import { expectNewLeader } from './transfer.ts';

type Body<T extends RaftBody['type']> = Extract<RaftBody, { type: T }>;

/** A leader told one other that its side is the greater, and waits for the answer. */
export interface ClaimOut {
  readonly to: PeerId;
  /** The rank that was sent: it decides, whatever became of it since. */
  readonly standing: Standing;
  readonly untilMs: number;
}

/** This side gave way: its members move with the first append of `epoch.leader` in exactly `term`. */
export interface Yielding extends Destination {
  readonly term: number;
  readonly untilMs: number;
}

/** Two sides that both took commands: the leader of the greater one says so, to one other at a time (consensus D6). */
export function maybeClaim(s: RaftState, to: PeerId, nowMs: number): void {
  const { leadership } = s;
  if (!leadership || !canMerge(s, leadership)) return;
  if (leadership.claim || nowMs < leadership.claimAfterMs) return;
  const standing = describeSelf(s, true);
  leadership.claim = { to, standing, untilMs: nowMs + s.electionTimeoutMs };
  s.note('info', 'claims the side of another leader', { to });
  s.send(to, { type: 'Claim', ...standing });
}

/** Not while it cannot speak for its side, nor while that has another leader soon. */
function canMerge(s: RaftState, { openingIndex }: Leadership): boolean {
  return s.serves && !s.transfer && s.commit >= openingIndex;
}

export function handleClaim(s: RaftState, from: PeerId, theirs: Body<'Claim'>, nowMs: number): void {
  const { leadership } = s;
  const { epoch, sides } = theirs;
  if (!s.dynamic || !epoch || epoch.leader !== from || sameEpoch(sides[0], s.side)) return;
  if (!leadership) {
    meetForeignLeader(s, from, theirs, nowMs);
    return;
  }
  const { claim } = leadership;
  const fresh = describeSelf(s, true);
  if (!canMerge(s, leadership) || (claim && claim.to !== from)) {
    s.send(from, { type: 'Busy', claim: epoch });
  } else if (outranks(claim?.standing ?? fresh, theirs)) {
    maybeClaim(s, from, nowMs);
  } else if (outranks(fresh, theirs)) {
    // What was claimed is out of date: both start over.
    endClaim(s, nowMs);
    s.send(from, { type: 'Busy', claim: epoch });
  } else {
    giveWay(s, theirs, epoch, nowMs);
  }
}

/** Serves no more, and has its followers know where to go; nothing is given up yet (consensus D7). */
function giveWay(s: RaftState, theirs: Standing, claim: RaftEpoch, nowMs: number): void {
  const { leadership } = s;
  const side = theirs.sides[0];
  if (!leadership || !side) return;
  const term = Math.max(s.term, theirs.term) + 1;
  const { runs, last } = tableOf(theirs);
  leadership.claim = undefined;
  s.yielding = { epoch: claim, side, term, runs, last, untilMs: nowMs + 2 * s.electionTimeoutMs };
  s.reads.refuseAll(s, 'NoQuorum');
  s.note('warn', 'gives way to another side', { leader: claim.leader, epoch: describeEpoch(claim) });
  s.changed();
  s.send(claim.leader, { type: 'Yield', claim, term: s.term });
  const message = s.message({
    type: 'Yielded',
    epoch: leadership.epoch,
    claim,
    side,
    term,
    last,
    runs: [...runs],
  });
  for (const peer of s.peers.values()) {
    if (!s.isForeign(peer)) s.emit({ type: 'send', to: peer.id, message, lane: 'control' });
  }
}

/** The other side gave way: a new term of its own makes this leader the one that both follow. */
export function handleYield(s: RaftState, from: PeerId, body: Body<'Yield'>, nowMs: number): void {
  const { leadership } = s;
  if (leadership?.claim?.to !== from || !sameEpoch(body.claim, leadership.epoch)) return;
  s.emit({ type: 'count', name: 'mosaik.groups.raft.merges' });
  // What is asked of it meanwhile waits.
  expectNewLeader(s, nowMs);
  campaignAt(s, Math.max(s.term, body.term) + 1, nowMs);
}

export function handleBusy(s: RaftState, from: PeerId, body: Body<'Busy'>, nowMs: number): void {
  const { leadership } = s;
  if (leadership?.claim?.to === from && sameEpoch(body.claim, leadership.epoch)) endClaim(s, nowMs);
}

export function handleYielded(s: RaftState, from: PeerId, body: Body<'Yielded'>, nowMs: number): void {
  if (s.leader !== from || s.role !== 'follower' || !sameEpoch(body.epoch, s.epoch)) return;
  const { claim: epoch, side, term, runs, last } = body;
  s.yielding = { epoch, side, term, runs, last, untilMs: nowMs + 2 * s.electionTimeoutMs };
  s.changed();
}

/** Neither answer comes for ever: a claim is void, and a side that gave way goes on, if nothing came of it. */
export function handleMergeTick(s: RaftState, nowMs: number): void {
  if ((s.leadership?.claim?.untilMs ?? Number.POSITIVE_INFINITY) <= nowMs) endClaim(s, nowMs);
  if (s.yielding === undefined || s.isYielding(nowMs)) return;
  s.yielding = undefined;
  s.note('info', 'goes on: the side that it gave way to did not come', {});
  s.changed();
}

/** Another attempt not at once, nor in step with the others. */
function endClaim(s: RaftState, nowMs: number): void {
  if (!s.leadership) return;
  s.leadership.claim = undefined;
  s.leadership.claimAfterMs = nowMs + s.rng.float() * s.electionTimeoutMs;
}

/** Whether an append of another side is the one that this side gave way to; if so, moves over. */
export function maybeMoveOver(s: RaftState, { epoch, side }: Body<'Append'>, nowMs: number): boolean {
  const { yielding } = s;
  if (!yielding || !s.isYielding(nowMs)) return false;
  if (epoch.leader !== yielding.epoch.leader || epoch.term !== yielding.term) return false;
  if (!sameEpoch(side, yielding.side)) return false;
  moveOver(s, { ...yielding, epoch }, nowMs);
  return true;
}
