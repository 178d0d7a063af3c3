import type { PeerId, RaftMember } from '@mosaik/wire';
import { compareEpochs, describeEpoch, isMember, sameEpoch } from './epoch.ts';
import type { StatusBody } from './peer.ts';
import { requestAppends } from './roles/follower.ts';
import type { RaftState } from './state.ts';

/**
 * Meets a leader of another side, which sent its run table (consensus D6, thin): joins it when nothing is lost; else the
 * lesser side gives way, which without a command of its own is a move and with one is the end: `diverged`.
 */
export function meetForeignLeader(s: RaftState, from: PeerId, status: StatusBody, nowMs: number): void {
  const { epoch, last, runs } = status;
  if (!epoch || epoch.leader !== from || !last || runs.length === 0) return;
  // Whole sides move, and their leaders decide: whoever follows one that lives leaves it to that one.
  if (s.role !== 'leader' && s.hasLiveLeader(nowMs)) return;
  const common = s.log.commonWith(runs, last.index);
  if (
    s.role !== 'leader' &&
    common.exact &&
    (common.index === s.log.last || isFounder(s, status, common.index))
  ) {
    adopt(s, from, status, common.index, nowMs);
    return;
  }
  if (!yieldsTo(s, status)) return;
  if (common.exact && !s.log.hasCommandAfter(common.index)) {
    adopt(s, from, status, common.index, nowMs);
    return;
  }
  if (!persists(s, from, status, nowMs)) return;
  s.stop(
    'diverged',
    `this member's log conflicts with the side of leader ${from}: they agree up to index ${common.index}, ` +
      `this log ends at ${s.log.last} in ${describeEpoch(s.log.lastEpoch)} and holds commands that the other does not`,
  );
}

/** A single picture of the other side may be out of date: the same verdict must hold for two election timeouts. */
function persists(s: RaftState, from: PeerId, status: StatusBody, nowMs: number): boolean {
  const nonce = status.sides[0]?.nonce ?? 0n;
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
function isFounder(s: RaftState, status: StatusBody, common: number): boolean {
  const { side } = s.log;
  return (
    s.commit <= common &&
    isMember(status.view, s.localId, s.incarnation) &&
    status.sides.some((other, i) => i > 0 && sameEpoch(other, side))
  );
}

/** Follows a leader of another side. Whatever is dropped holds no command, or never counted there. */
function adopt(s: RaftState, from: PeerId, status: StatusBody, common: number, nowMs: number): void {
  const { epoch } = status;
  if (!epoch) return;
  s.note('info', 'moves to another side', {
    leader: from,
    epoch: describeEpoch(epoch),
    dropped: s.log.last - common,
  });
  s.becomeFollower(s.term, nowMs);
  if (common < s.log.last) cutTo(s, common);
  // It leaves its votes and acknowledgements behind: whoever counted them must not count it again.
  s.forget();
  s.headFor(status.sides[0]);
  s.setHardState(epoch.term, undefined);
  s.follow(epoch, status.sides[0], nowMs);
  requestAppends(s);
}

/** Drops what is beyond `common`, which holds no command: so the machine is where it was there. */
function cutTo(s: RaftState, common: number): void {
  const { commit } = s;
  if (common < Math.max(s.log.base, s.snapshot?.index ?? 0)) {
    // What stands for the entries before can not be cut: this member begins anew.
    s.resetLog();
    s.emit({ type: 'restore', snapshot: undefined, sessions: new Uint8Array() });
    return;
  }
  s.truncateTo(common);
  if (commit <= common) return;
  s.commit = common;
  s.emit({ type: 'rewind', to: common });
}

/** Whether this member's side gives way to the other's. The same facts decide the opposite at the other end. */
export function yieldsTo(s: RaftState, theirs: StatusBody): boolean {
  const { log } = s;
  const mine = log.side;
  const their = theirs.sides[0];
  if (!mine || !their) return mine === undefined;
  // Whoever does not count has no side of its own to defend, and could never lead one here.
  if (!s.counted) return true;
  if (log.settled !== theirs.settled) return theirs.settled;
  const iAmTrunk = theirs.sides.some((side) => sameEpoch(side, mine));
  const theyAreTrunk = log.sides().some((side) => sameEpoch(side, their));
  if (iAmTrunk !== theyAreTrunk) return theyAreTrunk;
  const myWeight = weight(log.members, [...theirs.view, ...theirs.former]);
  const theirWeight = weight(theirs.view, [...log.members, ...log.formerMembers(64)]);
  if (myWeight !== theirWeight) return myWeight < theirWeight;
  return compareEpochs(mine, their) < 0;
}

/** Members that the other side does not know to have forgotten: amnesiacs do not outvote what they forgot. */
function weight(view: readonly RaftMember[], known: readonly RaftMember[]): number {
  return view.filter(
    ({ peer, incarnation }) =>
      !known.some((other) => other.peer === peer && other.incarnation !== incarnation),
  ).length;
}
