import type { PeerId, RaftEpoch } from '@mosaik/wire';
import { type Asker, answerRequest } from './asker.ts';
import type { RefusalReason } from './effect.ts';
import { isMember, sameEpoch } from './epoch.ts';
import type { Leadership } from './leadership.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';
import { isRemoved } from './voters.ts';
import { isWitness } from './witness.ts';

/** How long nothing else happens after leadership was handed over, at most. */
const MAX_SETTLING_MS = 50;

/** Leadership on its way to another member (Raft §3.10 of the thesis). */
export interface Transfer {
  /** Who is to lead; undefined: whoever is level first. */
  readonly to: PeerId | undefined;
  /** Nobody elected until then: it is void. */
  readonly deadlineMs: number;
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
  s.transfer = { to, deadlineMs, asker };
  expectNewLeader(s, nowMs);
}

/**
 * This member knows that leadership is moving: its proposals wait, and those of others shall; until the next campaign is
 * due if nothing comes of it, which is later than whoever hands over gives up.
 */
export function expectNewLeader(s: RaftState, nowMs: number): void {
  const untilMs = nowMs + s.electionTimeoutMs + s.config.consensus.electionTimeoutJitterMs;
  s.held.start(untilMs);
  s.movingUntilMs = untilMs;
}

/** Leadership is handed over now. */
export function beginHandover(s: RaftState, nowMs: number): void {
  expectNewLeader(s, nowMs);
  s.settlingUntilMs = nowMs + Math.min(s.config.consensus.heartbeatIntervalMs, MAX_SETTLING_MS);
}

/**
 * Hands over as soon as the target has been sent the whole log. Of several the one that is known to have most, unless it
 * answers no more.
 */
export function flushTransfer(s: RaftState, leadership: Leadership, nowMs: number): void {
  const { transfer } = s;
  if (!transfer) return;
  const heardSinceMs = nowMs - 2 * s.config.consensus.heartbeatIntervalMs;
  let best: { readonly peer: PeerId; readonly heard: boolean; readonly match: number } | undefined;
  for (const [peer, progress] of leadership.progress) {
    if (transfer.to !== undefined && transfer.to !== peer) continue;
    if (!progress.isSent(s.log.last) || !mayLead(s, peer, progress)) continue;
    const { match } = progress;
    const heard = progress.lastAckMs >= heardSinceMs;
    if (!best || (heard === best.heard ? match > best.match : heard)) best = { peer, heard, match };
  }
  if (best) handOver(s, leadership, best.peer, nowMs);
}

/**
 * Leads no more, and votes for the target. That goes with the request to campaign, so where two are a majority nobody else
 * has to be asked; and it goes to all, so that the others vote at once too, and send along what waits. Right behind the
 * entries: whoever reads it has them.
 */
function handOver(s: RaftState, { epoch, progress }: Leadership, to: PeerId, nowMs: number): void {
  s.note('info', 'hands over', { to });
  beginHandover(s, nowMs);
  const next = { term: s.term + 1, leader: to, nonce: s.rng.u64() };
  const message = s.message({ type: 'TimeoutNow', epoch, last: s.log.last, next });
  s.becomeFollower(next.term, nowMs);
  s.setHardState(next.term, next);
  s.afterPersist(() => {
    if (!sameEpoch(s.vote, next)) return;
    for (const peer of progress.keys())
      if (s.peers.has(peer)) s.emit({ type: 'send', to: peer, message, lane: 'bulk' });
    s.held.forwardTo(s, { leader: to, epoch: next, lane: 'bulk' }, nowMs);
  });
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

/** A bond is lost: if it had to be that one, this leader leads on; if it handed over already, it campaigns. */
export function handleTransferBondDown(s: RaftState, peer: PeerId, nowMs: number): void {
  if (s.transfer && peer === (s.role === 'leader' ? s.transfer.to : s.vote?.leader))
    abandonTransfer(s, nowMs);
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
