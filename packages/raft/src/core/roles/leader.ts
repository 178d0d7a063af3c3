import type { PeerId, RaftBody, RaftEpoch, RaftMember, RaftMessage } from '@mosaik/wire';
import { handleCommittedChange } from '../asker.ts';
import { handleClaimTick } from '../claim.ts';
import { hastenElection } from '../election-timer.ts';
import { reachesMajority } from '../electorate.ts';
import { describeEpoch, sameEpoch } from '../epoch.ts';
import { countHeard, type Leadership } from '../leadership.ts';
import { entryBytes } from '../log.ts';
import { maybeChangeView } from '../membership.ts';
import { Progress } from '../progress.ts';
import { handleProspectTick, maybeAdopt } from '../prospect.ts';
import { majority, quorumValue } from '../quorum.ts';
import { isSettled } from '../set-change.ts';
import type { RaftState } from '../state.ts';
import { beginTransfer, flushTransfer, handleNewLeader, isLast } from '../transfer.ts';
import { isRemoved } from '../voters.ts';
import { tellWitness } from '../witness-retention.ts';
import type { Campaign } from './candidate.ts';

type Appended = Extract<RaftBody, { type: 'Appended' }>;

export function becomeLeader(s: RaftState, campaign: Campaign, nowMs: number): void {
  const { epoch, electorate, answers } = campaign;
  s.role = 'leader';
  s.campaign = undefined;
  s.clearLeader();
  s.leader = s.localId;
  s.epoch = epoch;
  s.lastContactMs = nowMs;
  s.conflicts.clear();
  const leadership: Leadership = {
    epoch,
    openingIndex: s.log.last + 1,
    sinceMs: nowMs,
    progress: new Map(),
    round: 0,
    freshRound: 0,
    commitTurn: 0,
    askedTurn: 0,
    uncommittedBytes: 0,
    heartbeatDeadlineMs: nowMs,
    suspendedSinceMs: undefined,
    heard: 0,
    prospect: undefined,
    change: undefined,
    forgetful: new Map(),
    claim: undefined,
    claimAfterMs: nowMs,
  };
  s.leadership = leadership;
  s.heading = undefined;
  s.yielding = undefined;
  for (const peer of s.peers.values()) addFollower(s, peer.id, peer.incarnation, nowMs);
  const forced = electorate.kind === 'founders';
  const members = electorate.members.filter(
    (member) => !forced || answers.get(member.peer) !== 'Abstained',
  ) as RaftMember[];
  // They have the log of whoever handed over, or are about to: what follows the opening entry need not wait to hear so.
  if (campaign.transfer)
    for (const { peer, incarnation } of members) {
      const progress = leadership.progress.get(peer);
      if (progress?.incarnation === incarnation) progress.probing = false;
    }
  s.appendEntries(epoch, [{ type: 'Opening', forced, members, learners: [...s.log.learners] }]);
  handleNewLeader(s, epoch, nowMs);
  s.emit({ type: 'count', name: 'mosaik.groups.raft.leader.changes' });
  if (electorate.kind === 'genesis')
    s.note('warn', 'begins the group with empty logs: if it existed before, whatever it held is gone', {
      voters: members.length,
    });
  s.note('info', forced ? 'leads by a forced epoch' : 'leads', {
    epoch: describeEpoch(epoch),
    members: members.length,
  });
}

/** A bond formed: nothing that was known of that peer's log holds any more. */
export function addFollower(s: RaftState, peer: PeerId, incarnation: bigint, nowMs: number): void {
  const { leadership } = s;
  if (!leadership) return;
  const progress = new Progress(incarnation, s.log.last + 1, nowMs);
  if (leadership.forgetful.get(peer) === incarnation) progress.handleForgotten();
  leadership.progress.set(peer, progress);
}

export function handleAppended(s: RaftState, from: PeerId, body: Appended, nowMs: number): void {
  const { leadership } = s;
  const progress = leadership?.progress.get(from);
  if (!leadership || !progress || body.epoch.nonce !== leadership.epoch.nonce) return;
  if (body.term > s.term) {
    s.becomeFollower(body.term, nowMs);
    return;
  }
  if (body.match > s.log.last || progress.forgot) return;
  progress.lastAckMs = nowMs;
  if (body.round > progress.round && body.round <= leadership.round) progress.round = body.round;
  const { reject } = body;
  if (reject) {
    const stale = progress.probing
      ? reject.prev !== 0 && reject.prev !== progress.next - 1
      : reject.prev !== 0 && reject.prev <= progress.match;
    if (reject.prev === 0) progress.match = 0;
    const common = s.log.commonWith(reject.runs, reject.last);
    if (reject.last < progress.match || (common.exact && common.index < progress.match)) {
      handleForgetful(s, leadership, from, progress);
    } else if (!stale) {
      progress.probeAfter(common.index);
    }
  } else {
    s.handleSameSide(from);
    progress.handleAck(body.match, nowMs);
  }
  maybeAdvanceCommit(s);
  maybeConfirmReads(s);
  maybeAdopt(s, leadership);
  maybeChangeView(s, nowMs);
}

/**
 * A log ends below what it acknowledged, or differs there: a store that forgot without becoming another incarnation, so
 * its votes are worth nothing either. Asking it again would get the same answer, without a pause.
 */
function handleForgetful(s: RaftState, leadership: Leadership, peer: PeerId, progress: Progress): void {
  s.note('error', 'a member lost what it had acknowledged: it counts no more', {
    peer,
    match: progress.match,
  });
  leadership.forgetful.set(peer, progress.incarnation);
  progress.handleForgotten();
}

/** Commits what a majority of the set in force holds durably, if it is of this epoch (Raft §5.4.2). */
export function maybeAdvanceCommit(s: RaftState): void {
  const { leadership } = s;
  if (!leadership || s.yielding) return;
  const index = quorumValue(memberValues(s, leadership, s.durable, (progress) => progress.match));
  if (index <= s.commit || index < leadership.openingIndex) return;
  for (let i = Math.max(s.commit + 1, leadership.openingIndex); i <= index; i += 1) {
    const entry = s.log.entryAt(i);
    if (entry) leadership.uncommittedBytes -= entryBytes(entry);
  }
  leadership.commitTurn = s.turn + 1;
  s.commitTo(index);
  handleCommittedChange(s, leadership);
}

/** Answers the reads of every round that a majority of the set in force confirmed. */
export function maybeConfirmReads(s: RaftState): void {
  const { leadership } = s;
  if (!leadership || s.reads.size === 0) return;
  const round = quorumValue(memberValues(s, leadership, leadership.round, (progress) => progress.round));
  s.reads.handleRound(s, round);
}

function memberValues(
  s: RaftState,
  leadership: Leadership,
  own: number,
  value: (progress: Progress) => number,
): number[] {
  const values: number[] = [];
  for (const { peer, incarnation } of s.log.members) {
    if (peer === s.localId) values.push(incarnation === s.incarnation ? own : 0);
    else {
      const progress = leadership.progress.get(peer);
      values.push(progress?.incarnation === incarnation ? value(progress) : 0);
    }
  }
  return values;
}

/** Heartbeat, check-quorum, growth and shrinkage. */
export function handleLeaderTick(s: RaftState, nowMs: number): void {
  const { leadership } = s;
  if (!leadership || nowMs < leadership.heartbeatDeadlineMs) return;
  const { heartbeatIntervalMs, heartbeatJitterMs } = s.config.consensus;
  leadership.heartbeatDeadlineMs = nowMs + heartbeatIntervalMs - s.rng.float() * heartbeatJitterMs;
  handleClaimTick(s, nowMs);
  checkQuorum(s, leadership, nowMs);
  if (s.leadership !== leadership) return;
  handleProspectTick(s, leadership, nowMs);
  maybeChangeView(s, nowMs);
  for (const [peer, progress] of leadership.progress) {
    // An append that is not acknowledged for this long is taken for lost, though heartbeats are answered.
    if (!progress.probing && progress.inflightCount > 0 && nowMs - progress.advancedMs > s.electionTimeoutMs)
      progress.probeAfter(agreedUpTo(leadership, progress));
    if (progress.syncTo > 0) maybeRepeatPlan(s, leadership, peer, progress, nowMs);
    sendHeartbeat(s, leadership, peer, progress);
  }
  tellWitness(s, leadership, true);
}

/** A follower far behind catches up by itself; what is appended from now on is sent to it meanwhile. */
export function handleSyncRequest(s: RaftState, from: PeerId, epoch: RaftEpoch, nowMs: number): void {
  const progress = s.leadership?.progress.get(from);
  if (s.leadership && progress && sameEpoch(epoch, s.leadership.epoch))
    planSync(s, s.leadership, from, progress, nowMs);
}

function planSync(
  s: RaftState,
  leadership: Leadership,
  peer: PeerId,
  progress: Progress,
  nowMs: number,
): void {
  progress.handleSync(Math.max(s.commit, progress.match));
  sendPlan(s, leadership, peer, progress, nowMs);
}

function maybeRepeatPlan(
  s: RaftState,
  leadership: Leadership,
  peer: PeerId,
  progress: Progress,
  nowMs: number,
): void {
  if (nowMs - progress.planMs < s.electionTimeoutMs) return;
  if (progress.match === progress.planMatch) sendPlan(s, leadership, peer, progress, nowMs);
  progress.planMs = nowMs;
  progress.planMatch = progress.match;
}

function sendPlan(
  s: RaftState,
  { epoch }: Leadership,
  peer: PeerId,
  progress: Progress,
  nowMs: number,
): void {
  progress.planMs = nowMs;
  progress.planMatch = progress.match;
  const { base, last } = s.log;
  s.send(peer, { type: 'SyncPlan', epoch, base, commit: progress.syncTo, last, runs: s.log.runsUpTo(last) });
}

/** A leader that does not hear a majority must not go on as if it did. */
function checkQuorum(s: RaftState, leadership: Leadership, nowMs: number): void {
  const { electionTimeoutMs } = s;
  const heard = countHeard(s, leadership, nowMs);
  if (heard !== leadership.heard) s.changed();
  leadership.heard = heard;
  if (heard >= majority(s.log.members.length)) {
    if (leadership.suspendedSinceMs !== undefined) {
      leadership.suspendedSinceMs = undefined;
      s.changed();
    }
    s.lastContactMs = nowMs;
    return;
  }
  if (!s.dynamic) {
    s.note('warn', 'no majority answers: stands down', { epoch: describeEpoch(leadership.epoch) });
    s.becomeFollower(s.term, nowMs);
    return;
  }
  leadership.suspendedSinceMs ??= nowMs;
  s.reads.refuseAll(s, 'NoQuorum');
  s.changed();
  if (nowMs - leadership.suspendedSinceMs < 2 * electionTimeoutMs) return;
  // With a bonded majority others can elect; without one it may found (consensus D3, D4): not as this leader.
  const alone = !reachesMajority(s);
  // Half of the view is the majority of what it becomes when one of the lost is removed, however late they were missed.
  if (alone && 2 * heard >= s.log.members.length && isSettled(s, leadership)) return;
  s.note('warn', 'suspended for too long: stands down', { epoch: describeEpoch(leadership.epoch) });
  s.becomeFollower(s.term, nowMs);
  if (alone) hastenElection(s, nowMs);
}

/**
 * Sends what is due: entries to whoever has room for them, read rounds, and the commit index to those that have not
 * heard of it. The last waits for one more turn: callers that the commit answered often have the next command, and then
 * its append tells.
 */
export function flushLeader(s: RaftState, nowMs: number): void {
  const { leadership } = s;
  if (!leadership) return;
  if (s.reads.hasQueued && s.commit >= leadership.openingIndex) {
    leadership.round += 1;
    s.reads.startRound(leadership.round, readIndex(s));
    maybeConfirmReads(s);
  }
  tellWitness(s, leadership, false);
  const shared: SharedAppends = new Map();
  let again = false;
  for (const [peer, progress] of leadership.progress) {
    sendEntries(s, leadership, peer, progress, shared, nowMs);
    if (!progress.engaged) continue;
    if (progress.sentRound < leadership.round) sendHeartbeat(s, leadership, peer, progress);
    else if (progress.sentCommit >= Math.min(s.commit, progress.match)) continue;
    else if (s.turn <= leadership.commitTurn) again = true;
    else sendCommit(s, leadership, peer, progress);
  }
  if (again && leadership.askedTurn !== s.turn) {
    leadership.askedTurn = s.turn;
    s.emit({ type: 'turn-again' });
  }
  if (s.departing) maybeLeave(s, leadership, nowMs);
  else if ((isRemoved(s) || s.config.witness) && !s.transfer) beginTransfer(s, undefined, undefined, nowMs);
  flushTransfer(s, leadership, nowMs);
}

/**
 * What a read must see: everything that may have been answered. Where two are a majority a follower may have committed
 * what its leader does not know to be committed yet; and until a change of the set is committed, a follower may go by the
 * set before it.
 */
function readIndex(s: RaftState): number {
  const told = s.commit >= s.log.membersIndex && majority(s.log.members.length) > 2;
  return told ? s.commit : s.log.last;
}

function sendCommit(s: RaftState, leadership: Leadership, peer: PeerId, progress: Progress): void {
  progress.sentCommit = s.commit;
  s.send(peer, { type: 'Committed', epoch: leadership.epoch, commit: s.commit });
}

/** Append messages of this turn by first index: followers at the same place get the same one. */
type SharedAppends = Map<number, { message: RaftMessage; to: number; bytes: number }>;

function sendEntries(
  s: RaftState,
  leadership: Leadership,
  peer: PeerId,
  progress: Progress,
  shared: SharedAppends,
  nowMs: number,
): void {
  if (progress.forgot) return;
  const { maxInflightAppends, maxInflightBytes, maxAppendBytes, maxAppendEntries } = s.config.limits;
  while (progress.next <= s.log.last) {
    if (progress.probing && progress.awaiting) return;
    // What it needs was given up.
    if (progress.next <= s.log.base) planSync(s, leadership, peer, progress, nowMs);
    if (progress.inflightCount >= maxInflightAppends || progress.inflightBytes >= maxInflightBytes) return;
    let append = shared.get(progress.next);
    if (!append) {
      const { runs, to, bytes } = s.log.slice(progress.next, maxAppendBytes, maxAppendEntries);
      if (to < progress.next) return;
      const message = s.message({
        type: 'Append',
        epoch: leadership.epoch,
        side: s.log.side,
        prev: position(s, progress.next - 1),
        entries: runs,
        commit: s.commit,
        round: leadership.round,
        durable: s.durable,
      });
      append = { message, to, bytes };
      shared.set(progress.next, append);
    }
    progress.handleSent(append.to, append.bytes, nowMs);
    progress.sentCommit = s.commit;
    progress.sentRound = leadership.round;
    s.emit({ type: 'send', to: peer, message: append.message, lane: 'bulk' });
  }
}

/**
 * An append without entries, on the control lane, where it may overtake entries: so it builds on what is known to match,
 * or, while probing, on what is to be found out.
 */
function sendHeartbeat(s: RaftState, leadership: Leadership, peer: PeerId, progress: Progress): void {
  progress.sentCommit = s.commit;
  progress.sentRound = leadership.round;
  s.send(peer, {
    type: 'Append',
    epoch: leadership.epoch,
    side: s.log.side,
    prev: position(s, progress.probing ? progress.next - 1 : agreedUpTo(leadership, progress)),
    entries: [],
    commit: s.commit,
    round: leadership.round,
    durable: s.durable,
  });
}

/** As far as that log is known to be the leader's, or, while nothing is known, taken to be. */
function agreedUpTo(leadership: Leadership, { engaged, match }: Progress): number {
  return engaged ? match : leadership.openingIndex - 1;
}

function position(s: RaftState, index: number): { epoch: RaftEpoch; index: number } | undefined {
  const epoch = s.log.epochAt(index);
  return epoch && { epoch, index };
}

/** Leaving: hands over to whoever is level first; without anybody there is nothing to hand over. */
function maybeLeave(s: RaftState, leadership: Leadership, nowMs: number): void {
  s.handedOver = isLast(s);
  if (s.handedOver || s.transfer || leadership.progress.size === 0) return;
  s.transferring = true;
  beginTransfer(s, undefined, undefined, nowMs);
}
