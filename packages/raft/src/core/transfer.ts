import type { PeerId, RaftEpoch } from '@mosaik/wire';
import { type Asker, answerRequest } from './asker.ts';
import type { RefusalReason } from './effect.ts';
import { isMember } from './epoch.ts';
import type { Leadership } from './leadership.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';
import { isRemoved } from './voters.ts';
import { isWitness } from './witness.ts';

/** Leadership on its way to another member (Raft §3.10 of the thesis). */
export interface Transfer {
  /** Who is to lead; undefined: whoever is level first. */
  readonly to: PeerId | undefined;
  /** Nobody elected until then: it is void. */
  readonly deadlineMs: number;
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

/** This member knows that leadership is moving: its proposals wait, and those of others shall. */
export function expectNewLeader(s: RaftState, nowMs: number): void {
  const untilMs = nowMs + s.electionTimeoutMs;
  s.held.start(untilMs);
  s.movingUntilMs = untilMs;
}

/**
 * Tells the target to campaign, once, as soon as it has been sent the whole log: right behind the entries, so that it has
 * them when it reads that. Of several the one that is known to have most, unless it answers no more.
 */
export function flushTransfer(s: RaftState, leadership: Leadership, nowMs: number): void {
  const { transfer } = s;
  if (!transfer || transfer.told !== undefined) return;
  const heardSinceMs = nowMs - 2 * s.config.consensus.heartbeatIntervalMs;
  let best: { readonly peer: PeerId; readonly heard: boolean; readonly match: number } | undefined;
  for (const [peer, progress] of leadership.progress) {
    if (transfer.to !== undefined && transfer.to !== peer) continue;
    if (!progress.isSent(s.log.last) || !mayLead(s, peer, progress)) continue;
    const { match } = progress;
    const heard = progress.lastAckMs >= heardSinceMs;
    if (!best || (heard === best.heard ? match > best.match : heard)) best = { peer, heard, match };
  }
  if (!best) return;
  transfer.told = best.peer;
  s.send(best.peer, { type: 'TimeoutNow', epoch: leadership.epoch }, 'bulk');
  s.note('info', 'hands over', { to: best.peer });
}

export function mayLead(s: RaftState, peer: PeerId, progress: Progress | undefined): boolean {
  return progress !== undefined && isMember(s.log.members, peer, progress.incarnation) && !isWitness(s, peer);
}

/** Somebody leads: the transfer is over, whether as wanted or not, and what waited goes on. */
export function handleNewLeader(s: RaftState, epoch: RaftEpoch, nowMs: number): void {
  const { transfer } = s;
  if (transfer) {
    const wanted = epoch.leader !== s.localId && (transfer.to === undefined || transfer.to === epoch.leader);
    endTransfer(s, wanted ? undefined : 'NotElected');
  }
  s.held.release(s, nowMs);
}

export function endTransfer(s: RaftState, problem: RefusalReason | undefined): void {
  const { transfer } = s;
  if (!transfer) return;
  s.transfer = undefined;
  if (transfer.asker) answerRequest(s, transfer.asker, problem);
  if (problem && s.role === 'leader') s.note('warn', 'nobody took over in time', { to: transfer.to });
}

/** A bond is lost: whoever was told is gone; another one may do, unless it had to be that one. */
export function handleTransferBondDown(s: RaftState, peer: PeerId, nowMs: number): void {
  const { transfer } = s;
  if (!transfer || s.role !== 'leader') return;
  if (transfer.to === peer) abandonTransfer(s, nowMs);
  else if (transfer.told === peer) transfer.told = undefined;
}

/** Void: this leader goes on, if it may. */
function abandonTransfer(s: RaftState, nowMs: number): void {
  endTransfer(s, 'NotElected');
  if (isRemoved(s)) {
    // It must not lead on: the members elect among themselves.
    s.becomeFollower(s.term, nowMs);
    expectNewLeader(s, nowMs);
    return;
  }
  s.movingUntilMs = nowMs;
  s.held.release(s, nowMs);
}

export function handleTransferTick(s: RaftState, nowMs: number): void {
  if (s.transfer && nowMs >= s.transfer.deadlineMs) abandonTransfer(s, nowMs);
  if (s.held.untilMs !== undefined && nowMs >= s.held.untilMs) s.held.release(s, nowMs);
}
