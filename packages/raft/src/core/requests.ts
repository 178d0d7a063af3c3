import type { PeerId, RaftRequest } from '@mosaik/wire';
import type { RefusalReason } from './effect.ts';
import type { Leadership } from './roles/leader.ts';
import type { RaftState } from './state.ts';
import { beginTransfer, mayLead } from './transfer.ts';
import { changeVoters } from './voters.ts';

/** Who asked: this member's driver (`from` undefined) or another member. */
export interface Asker {
  readonly request: number;
  readonly from: PeerId | undefined;
}

/** Requests without an answer, here or at the leader. */
export const MAX_REQUESTS = 64;

/** Requests of this member that its leader has not answered. */
export class RequestTable {
  readonly #asked = new Map<number, { leader: PeerId; transfer: boolean; deadlineMs: number }>();

  get size(): number {
    return this.#asked.size;
  }

  get nextDeadlineMs(): number | undefined {
    let next: number | undefined;
    for (const { deadlineMs } of this.#asked.values())
      if (next === undefined || deadlineMs < next) next = deadlineMs;
    return next;
  }

  add(request: number, leader: PeerId, transfer: boolean, deadlineMs: number): void {
    this.#asked.set(request, { leader, transfer, deadlineMs });
  }

  /** False when `from` was not asked. */
  settle(from: PeerId, request: number): boolean {
    return this.#asked.get(request)?.leader === from && this.#asked.delete(request);
  }

  /** `leader` is gone, or leads no more: what it did about a change of the set is not known; a transfer ends that way. */
  handleLeaderGone(s: RaftState, leader: PeerId, bondLost: boolean): void {
    for (const [request, asked] of this.#asked) {
      if (asked.leader === leader && (bondLost || !asked.transfer)) this.#giveUp(s, request);
    }
  }

  handleTick(s: RaftState, nowMs: number): void {
    for (const [request, { deadlineMs }] of this.#asked) if (nowMs >= deadlineMs) this.#giveUp(s, request);
  }

  giveUpAll(s: RaftState): void {
    for (const request of this.#asked.keys()) this.#giveUp(s, request);
  }

  #giveUp(s: RaftState, request: number): void {
    this.#asked.delete(request);
    s.emit({ type: 'request-unknown', request });
  }
}

/** What becomes of a request: done already, answered later, or refused. */
export type Verdict = 'Done' | 'Pending' | RefusalReason;

/** Whatever only a leader can do is done here, or asked of the leader. */
export function handleRequest(s: RaftState, asker: Asker, what: RaftRequest, nowMs: number): void {
  const verdict = s.leadership
    ? consider(s, s.leadership, asker, what, nowMs)
    : askLeader(s, asker, what, nowMs);
  if (verdict !== 'Pending') answerRequest(s, asker, verdict === 'Done' ? undefined : verdict);
}

function askLeader(s: RaftState, asker: Asker, what: RaftRequest, nowMs: number): Verdict {
  const { leader } = s;
  if (s.stopped || asker.from !== undefined || leader === undefined || !s.peers.has(leader))
    return nowMs < s.movingUntilMs ? 'Moving' : 'Offline';
  if (s.requests.size >= MAX_REQUESTS) return 'Overloaded';
  const deadlineMs = nowMs + s.config.consensus.forwardTimeoutMs + 2 * s.electionTimeoutMs;
  s.requests.add(asker.request, leader, what.type === 'Transfer', deadlineMs);
  s.send(leader, { type: 'Request', request: asker.request, what });
  return 'Pending';
}

function consider(
  s: RaftState,
  leadership: Leadership,
  asker: Asker,
  what: RaftRequest,
  nowMs: number,
): Verdict {
  if (what.type === 'Transfer') return considerTransfer(s, leadership, asker, what.to, nowMs);
  const verdict = changeVoters(s, leadership, what, nowMs);
  if (verdict === 'Pending') leadership.change = { asker, index: s.log.last };
  return verdict;
}

function considerTransfer(
  s: RaftState,
  leadership: Leadership,
  asker: Asker,
  to: PeerId | undefined,
  nowMs: number,
): Verdict {
  if (to === s.localId) return 'Done';
  if (!s.serves) return 'NoQuorum';
  if (s.transfer) return 'ChangeInProgress';
  const reachable = [...leadership.progress].some(
    ([peer, progress]) => (to === undefined || to === peer) && mayLead(s, peer, progress),
  );
  if (!reachable) return 'NotAVoter';
  beginTransfer(s, to, asker, nowMs);
  return 'Pending';
}

/** The change of the set that somebody waits for is committed. */
export function handleCommittedChange(s: RaftState, leadership: Leadership): void {
  const { change } = leadership;
  if (!change || s.commit < change.index) return;
  leadership.change = undefined;
  answerRequest(s, change.asker, undefined);
}

/** This leader is none any more: others who asked notice by themselves. */
export function handleLeadershipOver(s: RaftState, leadership: Leadership): void {
  const { change } = leadership;
  if (change && change.asker.from === undefined)
    s.emit({ type: 'request-unknown', request: change.asker.request });
}

/** `problem` undefined: done. */
export function answerRequest(
  s: RaftState,
  { request, from }: Asker,
  problem: RefusalReason | undefined,
): void {
  if (from === undefined) {
    if (problem) s.emit({ type: 'request-refused', request, reason: problem });
    else s.emit({ type: 'request-done', request });
  } else if (problem) {
    s.send(from, { type: 'RequestRefused', request, reason: { type: problem } });
  } else {
    s.send(from, { type: 'RequestDone', request });
  }
}
