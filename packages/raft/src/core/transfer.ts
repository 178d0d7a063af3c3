import type { PeerId, RaftEpoch } from '@mosaik/wire';
import { type Asker, answerRequest } from './asker.ts';
import type { RefusalReason } from './effect.ts';
import { hastenElection } from './election-timer.ts';
import { countReached } from './electorate.ts';
import { isMember } from './epoch.ts';
import type { Leadership } from './leadership.ts';
import { expectNewLeader } from './moving.ts';
import type { Progress } from './progress.ts';
import { majority } from './quorum.ts';
import { voteForSuccessor } from './roles/voter.ts';
import type { RaftState } from './state.ts';
import { isRemoved } from './voters.ts';
import { isWitness } from './witness.ts';

/** A target that has more than this on the way to it is not told yet: nobody would lead until all of it is there. */
const MAX_HANDOVER_BYTES = 64 * 1024;

/** Leadership on its way to another member (Raft §3.10 of the thesis). */
export interface Transfer {
  /** Who is to lead; undefined: whoever is level first. */
  readonly to: PeerId | undefined;
  /** Nobody elected until then: it is void. */
  deadlineMs: number;
  /** Was told to campaign. */
  told: PeerId | undefined;
  /** Whoever wants to know how it ends. */
  readonly asker: Asker | undefined;
}

/** A leader begins to hand over: from now on it appends nothing. */
export function beginTransfer(
  s: RaftState,
  to: PeerId | undefined,
  asker: Asker | undefined,
  nowMs: number,
): void {
  const deadlineMs = nowMs + s.electionTimeoutMs;
  s.transfer = { to, deadlineMs, told: undefined, asker };
  expectNewLeader(s, nowMs);
}

/**
 * Hands over, once, as soon as the target has been sent the whole log and the end of it is not far away. Of several the one
 * that is known to have most; none that answers no more.
 */
export function flushTransfer(s: RaftState, leadership: Leadership, nowMs: number): void {
  const { transfer } = s;
  if (!transfer || transfer.told !== undefined) return;
  const heardSinceMs = nowMs - 2 * s.config.consensus.heartbeatIntervalMs;
  let best: { readonly peer: PeerId; readonly match: number } | undefined;
  for (const [peer, progress] of leadership.progress) {
    if (transfer.to !== undefined && transfer.to !== peer) continue;
    if (!progress.isSent(s.log.last) || progress.inflightBytes > MAX_HANDOVER_BYTES) continue;
    if (progress.match < leadership.openingIndex || progress.lastAckMs < heardSinceMs) continue;
    if (!mayLead(s, peer, progress)) continue;
    if (!best || progress.match > best.match) best = { peer, match: progress.match };
  }
  if (best) handOver(s, leadership, transfer, best.peer, nowMs);
}

/**
 * Names the next epoch, right behind the entries: whoever reads that has them. To all, so that they vote without being
 * asked, and send along what waits. So does this member, which leads no more then; but not if nobody could be elected
 * without the target: then it leads on until that has shown by its own request that it is there.
 */
function handOver(s: RaftState, { epoch }: Leadership, transfer: Transfer, to: PeerId, nowMs: number): void {
  const { members, last } = s.log;
  transfer.told = to;
  transfer.deadlineMs = nowMs + s.electionTimeoutMs;
  s.note('info', 'hands over', { to });
  const next = { term: s.term + 1, leader: to, nonce: s.rng.u64() };
  const message = s.message({ type: 'TimeoutNow', epoch, last, next, leaving: s.departing });
  for (const { peer } of members)
    if (s.peers.has(peer)) s.emit({ type: 'send', to: peer, message, lane: 'bulk' });
  if (countReached(s, members) - 1 >= majority(members.length)) voteForSuccessor(s, epoch, next, last, nowMs);
}

/** Of the members none is there who would stay. */
export function isLast({ log, peers }: RaftState): boolean {
  return !log.members.some(({ peer }) => peers.get(peer)?.leaving === false);
}

export function mayLead(s: RaftState, peer: PeerId, progress: Progress | undefined): boolean {
  if (!progress || s.peers.get(peer)?.leaving) return false;
  return isMember(s.log.members, peer, progress.incarnation) && !isWitness(s, peer);
}

/** Somebody leads: the transfer is over, whether as wanted or not, and what waited goes on. */
export function handleNewLeader(s: RaftState, epoch: RaftEpoch, nowMs: number): void {
  const { transfer } = s;
  if (transfer) {
    const wanted = epoch.leader !== s.localId && (transfer.to === undefined || transfer.to === epoch.leader);
    endTransfer(s, wanted ? undefined : 'NotElected');
  }
  // Whoever has it still may take it yet, or not.
  s.forwards.giveUp(s, ({ leader }) => leader !== epoch.leader);
  s.held.release(s, nowMs);
}

export function endTransfer(s: RaftState, problem: RefusalReason | undefined): void {
  const { transfer } = s;
  if (!transfer) return;
  s.transfer = undefined;
  if (transfer.asker) answerRequest(s, transfer.asker, problem);
  if (problem && s.role === 'leader') s.note('warn', 'nobody took over in time', { to: transfer.to });
}

/**
 * A member is lost, or failed: if leadership had to go to it, this leader leads on; if it went there already, this member
 * campaigns at once; and so do others that voted for whoever it is, soon: it is missed like a leader.
 */
export function handleSuccessorLost(s: RaftState, peer: PeerId, nowMs: number): void {
  const { transfer } = s;
  if (transfer && peer === (s.role === 'leader' ? transfer.to : transfer.told)) abandonTransfer(s, nowMs);
  else if (transfer?.told === peer) transfer.told = undefined;
  if (s.leader === undefined && s.vote?.leader === peer) hastenElection(s, nowMs);
}

/** Void: whoever led goes on, if it may. */
function abandonTransfer(s: RaftState, nowMs: number): void {
  endTransfer(s, 'NotElected');
  if (s.role !== 'leader') {
    if (s.leader !== undefined) return;
    expectNewLeader(s, nowMs);
    s.electionDeadlineMs = nowMs;
    return;
  }
  if (isRemoved(s)) {
    // It must not lead on: the members elect among themselves.
    expectNewLeader(s, nowMs);
    s.becomeFollower(s.term, nowMs);
    return;
  }
  s.movingUntilMs = nowMs;
  s.held.release(s, nowMs);
}

export function handleTransferTick(s: RaftState, nowMs: number): void {
  if (s.transfer && nowMs >= s.transfer.deadlineMs) abandonTransfer(s, nowMs);
  if (s.held.untilMs !== undefined && nowMs >= s.held.untilMs) s.held.release(s, nowMs);
}
