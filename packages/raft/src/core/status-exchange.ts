import { firstTimeoutMs, hastenElection } from './election-timer.ts';
import { sameEpoch } from './epoch.ts';
import { expectNewLeader } from './moving.ts';
import type { Peer, Standing } from './peer.ts';
import { addFollower } from './roles/leader.ts';
import { meetForeignLeader } from './sides.ts';
import { describeSelf } from './standing.ts';
import type { RaftState } from './state.ts';
import { handleSuccessorLost } from './transfer.ts';
import { genesisVoters } from './witness.ts';

/** Says where this member stands: to one peer when their bond forms, to all on change and now and then. */
export function sendStatus(s: RaftState, only?: Peer): void {
  const body = { type: 'Status' as const, ...describeSelf(s) };
  const plain = s.message(body);
  for (const peer of only ? [only] : s.peers.values()) {
    const claims = s.role === 'leader' && s.isForeign(peer) && peer.status?.last !== undefined;
    if (claims) s.send(peer.id, { ...body, runs: s.log.runsUpTo(s.log.last) });
    else s.emit({ type: 'send', to: peer.id, message: plain, lane: 'control' });
  }
}

export function handleStatus(s: RaftState, peer: Peer, body: Standing, nowMs: number): void {
  const first = peer.status === undefined;
  const wasForeign = peer.foreignSinceMs !== undefined;
  // The run table is judged here and now, not kept.
  peer.status = body.runs.length === 0 ? body : { ...body, runs: [] };
  updateForeign(s, peer, nowMs);
  if (body.stopped) handleSuccessorLost(s, peer.id, nowMs);
  const follows = sameEpoch(body.epoch, s.epoch);
  if (s.leader === peer.id && !follows && s.role === 'follower' && isOver(s, body)) {
    // It voted for somebody, whose request or first append is still on its way here; or even entries of its own are.
    const moves = !body.stopped && body.term > s.term;
    if (moves) expectNewLeader(s, nowMs);
    s.clearLeader();
    if (!moves) hastenElection(s, nowMs);
  }
  if (s.role === 'leader' && !follows && s.leadership?.progress.get(peer.id)?.engaged && s.isForeign(peer))
    addFollower(s, peer.id, peer.incarnation, nowMs);
  if (s.isForeign(peer)) {
    // A leader answers the sight of another side with its run table.
    if (s.role === 'leader' && (first || !wasForeign)) sendStatus(s, peer);
    if (!body.stopped) meetForeignLeader(s, peer.id, body, nowMs);
  }
  if (first) maybeCutDelayShort(s, nowMs);
}

/** The first campaign waits for others to be found; not once everyone that is expected was. */
function maybeCutDelayShort(s: RaftState, nowMs: number): void {
  const { bootstrapDelayMs, quorum } = s.config.consensus;
  if (nowMs >= s.bootMs + bootstrapDelayMs || s.leader !== undefined || s.campaign) return;
  const listed = quorum.type === 'Voters' && s.log.last === 0 ? genesisVoters(s) : undefined;
  const expected = listed ?? s.log.members.map(({ peer }) => peer);
  if (expected.length === 0 || !expected.every((id) => id === s.localId || s.peers.get(id)?.status)) return;
  const electionDeadlineMs = nowMs + firstTimeoutMs(s);
  if (electionDeadlineMs < s.electionDeadlineMs) s.electionDeadlineMs = electionDeadlineMs;
}

/** Its leader says that it leads no more, or is elsewhere. A later epoch of the same leader comes with its appends. */
function isOver(s: RaftState, body: Standing): boolean {
  if (isFromBefore(s, body)) return false;
  return body.stopped || body.epoch === undefined || body.epoch.leader !== s.leader || body.term < s.term;
}

/** It said that before it was elected, and appends overtook it: its log has its opening entry from then on. */
function isFromBefore(s: RaftState, { stopped, term, sides, last }: Standing): boolean {
  return !stopped && term <= s.term && sameEpoch(sides[0], s.side) && !sameEpoch(last?.epoch, s.epoch);
}

/** Keeps since when a peer is on another side; both logs may have changed. */
export function updateForeign(s: RaftState, peer: Peer, nowMs: number): void {
  if (!s.isForeign(peer)) peer.foreignSinceMs = undefined;
  else peer.foreignSinceMs ??= nowMs;
}

/** A status now and then, often while somebody has yet to be found or agreed with. */
export function handleStatusTick(s: RaftState, nowMs: number): void {
  if (nowMs < s.statusDeadlineMs) return;
  const { heartbeatIntervalMs, electionTimeoutMs } = s.config.consensus;
  let unsettled = s.leader === undefined;
  for (const peer of s.peers.values()) {
    updateForeign(s, peer, nowMs);
    if (peer.foreignSinceMs !== undefined) unsettled = true;
  }
  s.statusDeadlineMs = nowMs + (unsettled ? heartbeatIntervalMs : electionTimeoutMs);
  s.statusDue = true;
}

export function flushStatus(s: RaftState, nowMs: number): void {
  if (!s.statusDue) return;
  // Not that it failed, which the others must know; and there is no later turn then.
  if (nowMs < s.settlingUntilMs && !s.stopped) {
    s.statusDeadlineMs = Math.min(s.statusDeadlineMs, s.settlingUntilMs);
    return;
  }
  s.statusDue = false;
  if (s.peers.size > 0) sendStatus(s);
}
