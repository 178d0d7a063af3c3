import type { PeerId, RaftBody, RaftEpoch } from '@mosaik/wire';
import { maybeClaim } from './claim.ts';
import { describeEpoch, isMember, sameEpoch } from './epoch.ts';
import type { Standing } from './peer.ts';
import { outranks } from './rank.ts';
import { revertTo } from './revert.ts';
import { requestAppends } from './roles/rejection.ts';
import type { RunTable } from './runs.ts';
import { describeSelf } from './standing.ts';
import type { RaftState } from './state.ts';

/**
 * Meets a leader of another side, which sent its run table (consensus D6). Whoever loses nothing by it joins that side;
 * leaders of two sides that both took commands settle it between them; whoever has no leader, and could not win against
 * this one, gives up its commands once the verdict has lasted.
 */
export function meetForeignLeader(s: RaftState, from: PeerId, theirs: Standing, nowMs: number): void {
  const { epoch, last, runs, sides } = theirs;
  if (!epoch || epoch.leader !== from || !last || runs.length === 0) return;
  // Whole sides move, and their leaders decide: whoever follows one that lives leaves it to that one.
  if (s.role !== 'leader' && s.hasLiveLeader(nowMs)) return;
  if (s.isYielding(nowMs) || s.leadership?.claim) return;
  const common = s.log.commonWith(runs, last.index);
  const over = { epoch, side: sides[0], runs, last: last.index };
  if (
    s.role !== 'leader' &&
    common.exact &&
    (common.index === s.log.last || isFounder(s, theirs, common.index))
  ) {
    moveOver(s, over, nowMs);
  } else if (!yieldsTo(s, theirs)) {
    if (theirs.lastCommand > common.index) maybeClaim(s, from, nowMs);
  } else if ((common.exact && s.log.lastCommand <= common.index) || persists(s, from, theirs, nowMs)) {
    moveOver(s, over, nowMs);
  }
}

/**
 * A single picture of the other side may be out of date: the same verdict must hold for two election timeouts. A leader
 * waits to be claimed.
 */
function persists(s: RaftState, from: PeerId, { sides }: Standing, nowMs: number): boolean {
  if (s.role === 'leader') return false;
  const nonce = sides[0]?.nonce ?? 0n;
  const known = s.conflicts.get(from);
  if (!known || known.nonce !== nonce || nowMs - known.seenMs > s.electionTimeoutMs) {
    s.conflicts.set(from, { nonce, sinceMs: nowMs, seenMs: nowMs });
    return false;
  }
  known.seenMs = nowMs;
  return nowMs - known.sinceMs >= 2 * s.electionTimeoutMs;
}

/**
 * Its side was forced out of this one with this member among those that had to agree, none of them ahead of the founder
 * (consensus D4): so what this member has beyond was never committed, as far as it knows and as Raft §5.4.1 ensures.
 */
function isFounder(s: RaftState, theirs: Standing, common: number): boolean {
  const { side } = s.log;
  return (
    s.commit <= common &&
    isMember(theirs.view, s.localId, s.incarnation) &&
    theirs.sides.some((other, i) => i > 0 && sameEpoch(other, side))
  );
}

/** A leader of another side that is to be followed, and its log. */
export interface Destination extends RunTable {
  readonly epoch: RaftEpoch;
  readonly side: RaftEpoch | undefined;
}

/** This side gave way: its members move with the first append of `epoch.leader` in exactly `term`. */
export interface Yielding extends Destination {
  readonly term: number;
  readonly untilMs: number;
}

/**
 * Follows a leader of another side, giving up what that one does not have (consensus D8).
 */
export function moveOver(s: RaftState, { epoch, side, runs, last }: Destination, nowMs: number): void {
  const common = s.log.commonWith(runs, last);
  s.note('info', 'moves to another side', {
    leader: epoch.leader,
    epoch: describeEpoch(epoch),
    dropped: s.log.last - common.index,
  });
  s.becomeFollower(s.term, nowMs);
  s.forwards.giveUpAll(s);
  if (common.index < s.log.last) revertTo(s, common);
  // It leaves its votes and acknowledgements behind: whoever counted them must not count it again.
  s.forget();
  s.headFor(side);
  s.setHardState(epoch.term, undefined);
  s.follow(epoch, side, nowMs);
  requestAppends(s);
}

/** Whether an append of another side is the one that this side gave way to; if so, moves over. */
export function maybeMoveOver(
  s: RaftState,
  { epoch, side }: Extract<RaftBody, { type: 'Append' }>,
  nowMs: number,
): boolean {
  const { yielding } = s;
  if (!yielding || !s.isYielding(nowMs)) return false;
  if (epoch.leader !== yielding.epoch.leader || epoch.term !== yielding.term) return false;
  if (!sameEpoch(side, yielding.side)) return false;
  moveOver(s, { ...yielding, epoch }, nowMs);
  return true;
}

/** Whether this member's side gives way to the other's. The same facts decide the opposite at the other end. */
export function yieldsTo(s: RaftState, theirs: Standing): boolean {
  // Whoever does not count has no side of its own to defend, and could never lead one here.
  return !s.counted || !outranks(describeSelf(s, true), theirs);
}
