import type { PeerId, RaftBody, RaftEpoch } from '@mosaik/wire';
import type { Lane } from '../../components.ts';
import { hastenElection, resetElectionTimer } from '../election-timer.ts';
import { chooseElectorate, type Electorate, reachesMajority } from '../electorate.ts';
import { describeEpoch, isMember, sameEpoch } from '../epoch.ts';
import { majority } from '../quorum.ts';
import type { RaftState } from '../state.ts';
import { beginHandover } from '../transfer.ts';
import { isWitness } from '../witness.ts';
import { becomeLeader } from './leader.ts';

type VoteRequest = Extract<RaftBody, { type: 'VoteRequest' }>;
type VoteResponse = Extract<RaftBody, { type: 'VoteResponse' }>;
type TimeoutNow = Extract<RaftBody, { type: 'TimeoutNow' }>;
type Verdict = VoteResponse['verdict']['type'];

/** One attempt to become leader. */
export interface Campaign {
  readonly epoch: RaftEpoch;
  readonly pre: boolean;
  readonly electorate: Electorate;
  readonly transfer: RaftEpoch | undefined;
  readonly answers: Map<PeerId, Verdict>;
}

/** The election timer fired: nobody leads as far as this member knows (Raft §5.2). */
export function handleElectionTimeout(s: RaftState, nowMs: number): void {
  if (s.role === 'candidate') s.role = 'follower';
  s.campaign = undefined;
  resetElectionTimer(s, nowMs);
  if (s.leader !== undefined) s.clearLeader();
  s.changed();
  // Whoever gave way waits for the side that it gave way to.
  if (s.isYielding(nowMs)) return;
  const electorate = chooseElectorate(s, nowMs);
  if (electorate)
    startCampaign(s, { epoch: epochToBe(s), pre: true, electorate, transfer: undefined }, nowMs);
  else if (s.log.last === 0 || s.dynamic) hastenElection(s, nowMs);
}

/**
 * Its leader hands over. The successor campaigns, without a pre-vote (Raft §3.10 of the thesis); the others vote without
 * having been asked.
 */
export function handleTimeoutNow(
  s: RaftState,
  from: PeerId,
  { epoch, last, next }: TimeoutNow,
  nowMs: number,
): void {
  if (epoch.leader !== from || next.term !== epoch.term + 1) return;
  if (s.role === 'leader' || (s.campaign && !s.campaign.pre)) return;
  // What it said last, on the other lane, may have been that it leads no more: then the log tells.
  const followed = s.leader !== undefined ? s.epoch : s.heading ? undefined : s.log.lastEpoch;
  if (!sameEpoch(followed, epoch)) return;
  if (next.leader === s.localId) succeed(s, epoch, next, last, nowMs);
  else voteForSuccessor(s, epoch, next, last, nowMs);
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

/** Votes were given to a log that has all that the one of whoever hands over has. */
function succeed(s: RaftState, epoch: RaftEpoch, next: RaftEpoch, last: number, nowMs: number): void {
  if (!sameEpoch(s.log.epochAt(last), epoch) || s.term > next.term || (s.term === next.term && s.vote))
    return;
  const electorate = chooseElectorate(s, nowMs);
  if (electorate?.kind !== 'set') return;
  beginHandover(s, nowMs);
  startCampaign(s, { epoch: next, pre: false, electorate, transfer: epoch }, nowMs);
}

/** A leader goes on in a later term, which another side waits for: its followers know it, so no pre-vote (D7). */
export function campaignAt(s: RaftState, term: number, nowMs: number): void {
  s.becomeFollower(s.term, nowMs);
  const electorate = chooseElectorate(s, nowMs);
  if (electorate?.kind !== 'set') return;
  startCampaign(s, { epoch: epochToBe(s, term), pre: false, electorate, transfer: undefined }, nowMs);
}

function epochToBe(s: RaftState, term = s.term + 1): RaftEpoch {
  return { term, leader: s.localId, nonce: s.rng.u64() };
}

function startCampaign(s: RaftState, attempt: Omit<Campaign, 'answers'>, nowMs: number): void {
  const campaign: Campaign = { ...attempt, answers: new Map() };
  const { epoch, pre, electorate } = campaign;
  s.campaign = campaign;
  s.role = 'candidate';
  resetElectionTimer(s, nowMs);
  s.changed();
  s.emit({ type: 'count', name: pre ? 'mosaik.groups.raft.prevotes' : 'mosaik.groups.raft.elections' });
  s.note('debug', pre ? 'asks whether it could lead' : 'campaigns', {
    epoch: describeEpoch(epoch),
    electorate: electorate.kind,
    members: electorate.members.length,
  });
  if (pre) {
    ask(s, campaign, nowMs);
    return;
  }
  if (s.leader !== undefined) s.clearLeader();
  s.setHardState(epoch.term, epoch);
  // Neither its own vote nor its request exists before the vote is durable (Raft §5.2, Figure 2).
  s.afterPersist(() => ask(s, campaign, nowMs));
}

/** Counts its own vote, and asks for those that it still needs: of whoever hands over it may have one already. */
function ask(s: RaftState, campaign: Campaign, nowMs: number): void {
  // Whoever leaves the set asks the others only.
  if (isMember(campaign.electorate.members, s.localId, s.incarnation))
    record(s, campaign, s.localId, 'Granted', nowMs);
  if (s.campaign !== campaign) return;
  const { epoch, pre, electorate, transfer, answers } = campaign;
  const message = s.message({
    type: 'VoteRequest',
    epoch,
    pre,
    side: s.side,
    lastTerm: s.log.lastTerm,
    lastIndex: s.log.last,
    forced:
      electorate.kind === 'founders'
        ? { founders: [...electorate.members], view: [...s.log.members] }
        : undefined,
    transfer,
  });
  for (const { peer } of electorate.members) {
    if (peer !== s.localId && !answers.has(peer) && s.peers.has(peer))
      s.emit({ type: 'send', to: peer, message, lane: 'control' });
  }
}

export function handleVoteResponse(s: RaftState, from: PeerId, body: VoteResponse, nowMs: number): void {
  const { campaign } = s;
  if (!campaign || body.pre !== campaign.pre || !sameEpoch(body.epoch, campaign.epoch)) return;
  const peer = s.peers.get(from);
  // Only the incarnation that was asked may answer: another one has forgotten.
  if (!peer || !isMember(campaign.electorate.members, from, peer.incarnation)) return;
  if (body.term > campaign.epoch.term || (campaign.pre && body.term >= campaign.epoch.term)) {
    s.becomeFollower(Math.max(body.term, s.term), nowMs);
    hastenElection(s, nowMs);
    return;
  }
  record(s, campaign, from, body.verdict.type, nowMs);
}

function record(s: RaftState, campaign: Campaign, from: PeerId, verdict: Verdict, nowMs: number): void {
  if (s.campaign !== campaign || campaign.answers.has(from)) return;
  campaign.answers.set(from, verdict);
  switch (outcome(campaign)) {
    case 'open':
      return;
    case 'lost':
      s.role = 'follower';
      s.campaign = undefined;
      s.changed();
      return;
    case 'won':
      if (campaign.pre) startCampaign(s, { ...campaign, epoch: epochToBe(s), pre: false }, nowMs);
      else becomeLeader(s, campaign, nowMs);
  }
}

function outcome({ electorate, answers }: Campaign): 'open' | 'won' | 'lost' {
  const size = electorate.members.length;
  let granted = 0;
  let abstained = 0;
  for (const verdict of answers.values()) {
    if (verdict === 'Granted') granted += 1;
    else if (verdict === 'Abstained') abstained += 1;
    else if (electorate.kind === 'genesis') return 'lost';
    else if (electorate.kind === 'founders' && verdict !== 'Denied') return 'lost';
  }
  if (electorate.kind === 'genesis') return granted === size ? 'won' : 'open';
  if (electorate.kind === 'set') {
    if (granted >= majority(size)) return 'won';
    return size - answers.size + granted < majority(size) ? 'lost' : 'open';
  }
  if (answers.size < size) return 'open';
  return granted >= majority(size - abstained) ? 'won' : 'lost';
}

/** Answers a candidate (Raft §5.2, §5.4.1; pre-vote and stickiness: §9.6 of the thesis). */
export function handleVoteRequest(s: RaftState, from: PeerId, body: VoteRequest, nowMs: number): void {
  if (body.epoch.leader === from) castVote(s, body, nowMs);
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
