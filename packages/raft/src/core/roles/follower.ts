import type { PeerId, RaftBody } from '@mosaik/wire';
import { describeEpoch, isMember, sameEpoch } from '../epoch.ts';
import { majority } from '../quorum.ts';
import { maybeMoveOver } from '../sides.ts';
import type { RaftState } from '../state.ts';
import { stop } from '../stop.ts';
import { beginSync, bufferAppend } from '../sync/sync-state.ts';
import { reject } from './rejection.ts';

type Append = Extract<RaftBody, { type: 'Append' }>;
type Committed = Extract<RaftBody, { type: 'Committed' }>;

/** Takes entries, or a heartbeat, from a leader (Raft §5.3). */
export function handleAppend(s: RaftState, from: PeerId, body: Append, nowMs: number): void {
  const { epoch } = body;
  if (epoch.leader !== from) return;
  if (!sameEpoch(epoch, s.epoch)) {
    if (!admits(s, from, body, nowMs)) return;
  } else if (s.role !== 'follower') {
    return;
  }
  s.follow(epoch, body.side, nowMs);
  s.handleSameSide(from);
  if (body.round > s.round) s.round = body.round;
  const prevIndex = body.prev?.index ?? 0;
  // What came from this leader before agrees with its log, though this one may know no more which epochs it had.
  if (prevIndex > s.matched && !s.log.matches(prevIndex, body.prev?.epoch)) {
    if (!s.sync && prevIndex - s.log.last <= s.config.limits.syncGapEntries) {
      reject(s, from, epoch, prevIndex);
      return;
    }
    // Plain appends would take long: it catches up by itself, and says no more than that it is there.
    if (s.sync) bufferAppend(s, s.sync, body);
    else beginSync(s, nowMs);
    s.ackDue = true;
    return;
  }
  const last = take(s, prevIndex, body);
  if (last === undefined) return;
  if (last > s.matched) s.matched = last;
  s.leaderDurable = body.durable;
  commit(s, body.commit);
  s.ackDue = true;
}

export function handleCommitted(s: RaftState, from: PeerId, body: Committed): void {
  if (s.leader === from && s.role === 'follower' && sameEpoch(body.epoch, s.epoch)) commit(s, body.commit);
}

/** Never beyond what is known to be the leader's. */
function commit(s: RaftState, index: number): void {
  if (index > s.leaderCommit) s.leaderCommit = index;
  s.commitTo(Math.min(index, s.matched));
  if (s.caughtUp || s.commit < index) return;
  s.caughtUp = true;
  s.changed();
}

/**
 * Where two are a majority, what the leader and this member hold durably is committed (Raft §5.4.2), and this member is
 * the first to know: whoever waits here is answered a round trip earlier.
 */
function maybeCommitWithLeader(s: RaftState, leader: PeerId): void {
  const index = Math.min(s.leaderDurable, s.matched, s.durable);
  if (index <= s.commit || majority(s.log.members.length) > 2) return;
  const peer = s.peers.get(leader);
  if (!peer || !s.counted || !isMember(s.log.members, leader, peer.incarnation)) return;
  if (sameEpoch(s.log.epochAt(index), s.epoch)) s.commitTo(index);
}

/** Whether an epoch that is not followed yet is to be followed; answers a leader whose time is over. */
function admits(s: RaftState, from: PeerId, body: Append, nowMs: number): boolean {
  const { epoch } = body;
  if (!sameEpoch(body.side, s.side)) {
    // Consensus D2: terms of another side do not compare. Its leader is followed from nothing, or when its forced
    // epoch is the one that was granted, or the one that this side gave way to; every other way leads through a status
    // with its run table.
    if (maybeMoveOver(s, body, nowMs)) return true;
    if (s.hasLiveLeader(nowMs)) return false;
    if (isGranted(s, body)) return true;
    if (s.log.last > 0) return false;
    s.becomeFollower(s.term, nowMs);
    // Whatever it promised while it had no log binds what it was then.
    if (s.vote) s.forget();
    s.setHardState(epoch.term, undefined);
    return true;
  }
  if (epoch.term < s.term) {
    s.send(from, { type: 'Appended', epoch, term: s.term, match: 0, round: 0, reject: undefined });
    return false;
  }
  if (epoch.term === s.term && s.epoch) {
    stop(
      s,
      `two leaders in one term: ${describeEpoch(s.epoch)} and ${describeEpoch(epoch)}; a vote was forgotten`,
    );
    return false;
  }
  return true;
}

/** Its vote founded that side, and no other leader has given it entries since. */
function isGranted(s: RaftState, { epoch, side }: Append): boolean {
  return (
    s.vote !== undefined && sameEpoch(s.vote, side) && epoch.term >= s.term && s.log.lastTerm < s.vote.term
  );
}

/** Appends what is new, after removing what contradicts it. Undefined when that would undo what is committed. */
export function take(
  s: RaftState,
  prevIndex: number,
  body: Pick<Append, 'epoch' | 'side' | 'entries'>,
): number | undefined {
  let index = prevIndex;
  for (const run of body.entries) {
    let skip = 0;
    while (skip < run.entries.length && index < s.log.last) {
      const own = s.log.epochAt(index + 1);
      // Of entries given up long ago not even the epoch is known; they were committed.
      const known = own !== undefined || index >= s.log.base;
      if (known && !sameEpoch(own, run.epoch)) {
        if (index < s.commit) {
          stop(
            s,
            `leader ${describeEpoch(body.epoch)} contradicts the committed entry ${index + 1}: ` +
              `${describeEpoch(run.epoch)} instead of ${describeEpoch(own)}`,
          );
          return undefined;
        }
        s.truncateTo(index);
        s.headFor(body.side);
        break;
      }
      index += 1;
      skip += 1;
    }
    if (skip < run.entries.length) {
      s.appendEntries(run.epoch, skip === 0 ? run.entries : run.entries.slice(skip));
      s.headFor(body.side);
      index += run.entries.length - skip;
    }
  }
  return index;
}

/**
 * One answer for all appends of a turn: only what is durable and known to be the leader's. While a write is under way it
 * waits for the end of that, unless a read round or an older write is to be answered.
 */
export function flushFollower(s: RaftState, nowMs: number): void {
  const { leader, epoch } = s;
  if (!leader || !epoch || s.role !== 'follower') return;
  s.reads.sendAsked(s, leader, nowMs);
  maybeCommitWithLeader(s, leader);
  if (!s.ackDue) return;
  const match = Math.min(s.matched, s.durable);
  if (match < s.matched) {
    // The store may finish within the turn.
    if (s.writes) return;
    s.ackDue = false;
    if (match <= s.ackedMatch && s.round <= s.ackedRound) return;
  }
  s.ackDue = false;
  s.ackedMatch = match;
  s.ackedRound = s.round;
  s.send(leader, {
    type: 'Appended',
    epoch,
    term: s.term,
    match,
    round: s.round,
    reject: undefined,
  });
}
