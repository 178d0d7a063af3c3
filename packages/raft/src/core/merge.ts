import type { PeerId, RaftBody, RaftEpoch } from '@mosaik/wire';
import { canMerge, endClaim, maybeClaim } from './claim.ts';
import { describeEpoch, sameEpoch } from './epoch.ts';
import { expectNewLeader } from './moving.ts';
import type { Standing } from './peer.ts';
import { outranks, tableOf } from './rank.ts';
import { campaignAt } from './roles/candidate.ts';
import { meetForeignLeader } from './sides.ts';
import { describeSelf } from './standing.ts';
import type { RaftState } from './state.ts';

type Body<T extends RaftBody['type']> = Extract<RaftBody, { type: T }>;

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
