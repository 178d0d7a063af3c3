import type { PeerId, RaftBody, RaftEpoch } from '@mosaik/wire';
import type { Lane } from '../../components.ts';
import { resetElectionTimer } from '../election-timer.ts';
import { reachesMajority } from '../electorate.ts';
import { isMember, sameEpoch } from '../epoch.ts';
import { beginHandover } from '../moving.ts';
import type { RaftState } from '../state.ts';
import { isWitness } from '../witness.ts';

type VoteRequest = Extract<RaftBody, { type: 'VoteRequest' }>;
export type Verdict = Extract<RaftBody, { type: 'VoteResponse' }>['verdict']['type'];

/** Answers a candidate (Raft §5.2, §5.4.1; pre-vote and stickiness: §9.6 of the thesis). */
export function handleVoteRequest(s: RaftState, from: PeerId, body: VoteRequest, nowMs: number): void {
  if (body.epoch.leader === from) castVote(s, body, nowMs);
}

/** As if the successor had asked: its log is that of the leader of `epoch`, which ends at `last`. */
export function voteForSuccessor(
  s: RaftState,
  epoch: RaftEpoch,
  next: RaftEpoch,
  last: number,
  nowMs: number,
): void {
  castVote(
    s,
    {
      type: 'VoteRequest',
      epoch: next,
      pre: false,
      side: s.side,
      lastTerm: epoch.term,
      lastIndex: last,
      forced: undefined,
      transfer: epoch,
    },
    nowMs,
  );
}

function castVote(s: RaftState, body: VoteRequest, nowMs: number): void {
  // Before that leader is given up: what it was asked waits for the next one.
  if (body.transfer && sameEpoch(body.transfer, s.epoch)) beginHandover(s, nowMs);
  const verdict = consider(s, body, nowMs);
  if (verdict === undefined) return;
  if (body.pre || verdict !== 'Granted') {
    answer(s, body, verdict);
    return;
  }
  s.setHardState(body.epoch.term, body.epoch);
  resetElectionTimer(s, nowMs);
  s.afterPersist(() => {
    if (!sameEpoch(s.vote, body.epoch)) return;
    // Of whoever hands over: behind what tells the candidate that it is one.
    const lane = s.transfer ? 'bulk' : 'control';
    answer(s, body, 'Granted', lane);
    if (body.transfer) s.held.forwardTo(s, { leader: body.epoch.leader, epoch: body.epoch, lane }, nowMs);
  });
}

function answer(s: RaftState, { epoch, pre }: VoteRequest, verdict: Verdict, lane?: Lane): void {
  s.send(epoch.leader, { type: 'VoteResponse', epoch, pre, term: s.term, verdict: { type: verdict } }, lane);
}

/** What to answer, undefined for nothing; a real request of a higher term ends the one that this member is in. */
function consider(s: RaftState, body: VoteRequest, nowMs: number): Verdict | undefined {
  if (s.config.observer) return 'Abstained';
  // Terms of another side mean nothing here; an empty candidate learns that there is a log to join.
  if (!sameEpoch(body.side, s.side)) return body.side === undefined ? 'Ahead' : undefined;
  if (isSticky(s, body, nowMs)) return body.pre ? 'Denied' : undefined;
  if (body.epoch.term < s.term || (body.pre && body.epoch.term === s.term)) return 'Denied';
  if (!body.pre && body.epoch.term > s.term) s.becomeFollower(body.epoch.term, nowMs);
  return judge(s, body);
}

function judge(s: RaftState, body: VoteRequest): Verdict {
  if (isAhead(s, body)) return 'Ahead';
  // A witness is to lead only where no data voter is as up to date.
  if (isWitness(s, body.epoch.leader) && !s.config.witness && isLevel(s, body)) return 'Denied';
  if (!body.pre && s.vote && !sameEpoch(s.vote, body.epoch)) return 'Denied';
  if (body.forced) {
    if (!isMember(body.forced.founders, s.localId, s.incarnation)) return 'Denied';
    // Of the candidate's set, not of its own: a member that is behind may know an older, smaller need.
    if (reachesMajority(s, body.forced.view)) return 'Reachable';
  }
  return 'Granted';
}

/** Raft §5.4.1: the later last term, then the longer log. */
function isAhead(s: RaftState, body: VoteRequest): boolean {
  return s.log.lastTerm > body.lastTerm || (s.log.lastTerm === body.lastTerm && s.log.last > body.lastIndex);
}

function isLevel(s: RaftState, body: VoteRequest): boolean {
  return s.log.lastTerm === body.lastTerm && s.log.last === body.lastIndex;
}

/** Whether this member hears a leader and so takes no part in replacing it. */
function isSticky(s: RaftState, body: VoteRequest, nowMs: number): boolean {
  if (!s.hasLiveLeader(nowMs) || s.leader === body.epoch.leader) return false;
  const transferred =
    body.transfer !== undefined &&
    sameEpoch(body.transfer, s.epoch) &&
    body.epoch.term === body.transfer.term + 1;
  return !transferred;
}
