import type { PeerId, RaftRequest } from '@mosaik/wire';
import { type Asker, answerRequest, type Verdict } from './asker.ts';
import type { Leadership } from './leadership.ts';
import { MAX_REQUESTS } from './request-table.ts';
import type { RaftState } from './state.ts';
import { beginTransfer, mayLead } from './transfer.ts';
import { changeVoters } from './voters.ts';

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
  return changeVoters(s, leadership, what, asker, nowMs);
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
