import type { PeerId, RaftBody, RaftEpoch } from '@mosaik/wire';
import { hastenElection, resetElectionTimer } from '../election-timer.ts';
import { chooseElectorate, type Electorate, reachesMajority } from '../electorate.ts';
import { describeEpoch, isMember, sameEpoch } from '../epoch.ts';
import { majority } from '../quorum.ts';
import type { RaftState } from '../state.ts';
import { expectNewLeader } from '../transfer.ts';
import { isWitness } from '../witness.ts';
import { becomeLeader } from './leader.ts';

type VoteRequest = Extract<RaftBody, { type: 'VoteRequest' }>;
type VoteResponse = Extract<RaftBody, { type: 'VoteResponse' }>;
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
  if (electorate) startCampaign(s, electorate, true, undefined, nowMs);
  else if (s.log.last === 0 || s.dynamic) hastenElection(s, nowMs);
}

/** Its leader leaves and asked this member to take over: no pre-vote (Raft §3.10 of the thesis). */
export function handleTimeoutNow(s: RaftState, from: PeerId, epoch: RaftEpoch, nowMs: number): void {
  if (s.leader !== from || !sameEpoch(epoch, s.epoch)) return;
  const electorate = chooseElectorate(s, nowMs);
  if (electorate?.kind !== 'set') return;
  expectNewLeader(s, nowMs);
  startCampaign(s, electorate, false, epoch, nowMs);
}

/** A leader goes on in a later term, which another side waits for: its followers know it, so no pre-vote (D7). */
export function campaignAt(s: RaftState, term: number, nowMs: number): void {
  s.becomeFollower(s.term, nowMs);
  const electorate = chooseElectorate(s, nowMs);
  if (electorate?.kind === 'set') startCampaign(s, electorate, false, undefined, nowMs, term);
}

function startCampaign(
  s: RaftState,
  electorate: Electorate,
  pre: boolean,
  transfer: RaftEpoch | undefined,
  nowMs: number,
  term = s.term + 1,
): void {
  const epoch = { term, leader: s.localId, nonce: s.rng.u64() };
  const campaign: Campaign = { epoch, pre, electorate, transfer, answers: new Map() };
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
  // Whoever leaves the set asks the others only.
  const counts = isMember(electorate.members, s.localId, s.incarnation);
  if (pre) {
    ask(s, campaign);
    if (counts) record(s, campaign, s.localId, 'Granted', nowMs);
    return;
  }
  if (s.leader !== undefined) s.clearLeader();
  s.setHardState(epoch.term, epoch);
  // Neither its own vote nor its request exists before the vote is durable (Raft §5.2, Figure 2).
  s.afterPersist(() => {
    if (s.campaign !== campaign) return;
    ask(s, campaign);
    if (counts) record(s, campaign, s.localId, 'Granted', nowMs);
  });
}

function ask(s: RaftState, campaign: Campaign): void {
  const { epoch, pre, electorate, transfer } = campaign;
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
    if (peer !== s.localId && s.peers.has(peer)) s.emit({ type: 'send', to: peer, message, lane: 'control' });
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
  if (campaign.answers.has(from)) return;
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
      if (campaign.pre) startCampaign(s, campaign.electorate, false, undefined, nowMs);
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
  if (body.epoch.leader !== from) return;
  const verdict = consider(s, from, body, nowMs);
  if (verdict === undefined) return;
  if (body.pre || verdict !== 'Granted') {
    answer(s, from, body, verdict);
    return;
  }
  s.setHardState(body.epoch.term, body.epoch);
  resetElectionTimer(s, nowMs);
  if (body.transfer) expectNewLeader(s, nowMs);
  s.afterPersist(() => {
    if (!sameEpoch(s.vote, body.epoch)) return;
    answer(s, from, body, 'Granted');
    if (body.transfer) s.held.forwardTo(s, { leader: from, epoch: body.epoch }, nowMs);
  });
}

function answer(s: RaftState, to: PeerId, { epoch, pre }: VoteRequest, verdict: Verdict): void {
  s.send(to, { type: 'VoteResponse', epoch, pre, term: s.term, verdict: { type: verdict } });
}

/** What to answer, undefined for nothing; a real request of a higher term ends the one that this member is in. */
function consider(s: RaftState, from: PeerId, body: VoteRequest, nowMs: number): Verdict | undefined {
  if (s.config.observer) return 'Abstained';
  // Terms of another side mean nothing here; an empty candidate learns that there is a log to join.
  if (!sameEpoch(body.side, s.side)) return body.side === undefined ? 'Ahead' : undefined;
  if (isSticky(s, from, body, nowMs)) return body.pre ? 'Denied' : undefined;
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
function isSticky(s: RaftState, from: PeerId, body: VoteRequest, nowMs: number): boolean {
  if (!s.hasLiveLeader(nowMs) || s.leader === from) return false;
  const transferred =
    body.transfer !== undefined &&
    sameEpoch(body.transfer, s.epoch) &&
    body.epoch.term === body.transfer.term + 1;
  return !transferred;
}
