import type { PeerId, RaftBody, RaftEpoch } from '@mosaik/wire';
import { hastenElection, resetElectionTimer } from '../election-timer.ts';
import { chooseElectorate, type Electorate } from '../electorate.ts';
import { describeEpoch, isMember, sameEpoch } from '../epoch.ts';
import { beginHandover } from '../moving.ts';
import { majority } from '../quorum.ts';
import type { RaftState } from '../state.ts';
import { becomeLeader } from './leader.ts';
import { type Verdict, voteForSuccessor } from './voter.ts';

type VoteResponse = Extract<RaftBody, { type: 'VoteResponse' }>;
type TimeoutNow = Extract<RaftBody, { type: 'TimeoutNow' }>;

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
  { epoch, last, next, leaving }: TimeoutNow,
  nowMs: number,
): void {
  if (epoch.leader !== from || next.term !== epoch.term + 1) return;
  const peer = s.peers.get(from);
  if (peer && leaving) peer.leaving = true;
  if (s.role === 'leader' || (s.campaign && !s.campaign.pre)) return;
  // What it said last, on the other lane, may have been that it leads no more: then the log tells.
  const followed = s.leader !== undefined ? s.epoch : s.heading ? undefined : s.log.lastEpoch;
  if (!sameEpoch(followed, epoch)) return;
  if (next.leader === s.localId) succeed(s, epoch, next, last, nowMs);
  else voteForSuccessor(s, epoch, next, last, nowMs);
  // What that leader took is in its log; the rest of what is on the way to it must not wait until it says so.
  if (s.held.active) s.forwards.giveUp(s, ({ leader }) => leader === from);
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
