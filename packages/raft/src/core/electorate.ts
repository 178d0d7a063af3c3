import type { RaftMember } from '@mosaik/wire';
import { MAX_VIEW } from './config.ts';
import { isMember } from './epoch.ts';
import type { Peer, Standing } from './peer.ts';
import { majority } from './quorum.ts';
import type { RaftState } from './state.ts';
import { genesisVoters } from './witness.ts';

/**
 * Who decides a campaign. `set`: a majority of the set in the log. `founders`: a forced epoch, all must answer and none
 * may object. `genesis`: the first epoch of a fixed set, all must grant.
 */
export interface Electorate {
  readonly kind: 'set' | 'founders' | 'genesis';
  readonly members: readonly RaftMember[];
}

/** Who could make this member a leader now; undefined when it must not campaign. */
export function chooseElectorate(s: RaftState, nowMs: number): Electorate | undefined {
  if (s.config.observer) return undefined;
  return s.dynamic ? chooseDynamic(s, nowMs) : chooseVoters(s);
}

/** Voters: its set is what the log says; before that, genesis needs every listed voter met and empty. */
function chooseVoters(s: RaftState): Electorate | undefined {
  if (s.log.last > 0) return s.counted || isLeaving(s) ? { kind: 'set', members: s.log.members } : undefined;
  const voters = genesisVoters(s);
  if (!voters.includes(s.localId) || s.config.witness) return undefined;
  for (const peer of s.peers.values()) if (peer.status?.last) return undefined;
  const members: RaftMember[] = [];
  for (const voter of voters) {
    const peer = s.peers.get(voter);
    if (voter === s.localId) members.push(s.member);
    else if (peer?.status && !peer.status.stopped)
      members.push({ peer: voter, incarnation: peer.incarnation });
    else return undefined;
  }
  return { kind: 'genesis', members };
}

/**
 * Its log removes it, which may not be committed: perhaps nobody else has that entry, and the others, whose set still
 * names this member, need its vote for a log that its own is ahead of. So it leads on, without counting itself, until
 * they have it (thesis §4.2.2).
 */
function isLeaving(s: RaftState): boolean {
  return s.heading === undefined && (s.log.leftAt(s.member) ?? 0) > s.commit;
}

function chooseDynamic(s: RaftState, nowMs: number): Electorate | undefined {
  const { members } = s.log;
  if (s.counted && reachesMajority(s)) return { kind: 'set', members };
  if (s.log.last > 0 && nowMs - s.lastContactMs < 2 * s.electionTimeoutMs) return undefined;
  if (reachesMajority(s) || lostJustNow(s, nowMs)) return undefined;
  const founders = chooseFounders(s);
  return founders && { kind: 'founders', members: founders };
}

/**
 * A bond that broke within an election timeout, without a goodbye, still keeps from forcing an epoch (D4) or founding a
 * group (D5): mostly the connection is dialled again at once, and both ends would have founded sides of their own.
 */
function lostJustNow(s: RaftState, nowMs: number): boolean {
  for (const [peer, { incarnation, sinceMs, departed, hadLog }] of s.lost) {
    if (departed || nowMs - sinceMs >= s.electionTimeoutMs) continue;
    if (s.log.last === 0 ? hadLog : isMember(s.log.members, peer, incarnation)) return true;
  }
  return false;
}

/**
 * A forced epoch's founders: this member and the bonded members of its side that count; while none of them counts, all
 * of its side. Undefined when somebody else is to found, or when a bonded member has not described itself yet.
 */
function chooseFounders(s: RaftState): RaftMember[] | undefined {
  const founders = [s.member];
  const joining = !s.counted;
  for (const peer of s.peers.values()) {
    const { status } = peer;
    if (!status) return undefined;
    if (status.stopped) continue;
    // An empty member bonded to one with a log only joins it; a joining one leaves founding to those that count, unless
    // their log is older than its own: it would deny them its vote.
    if (s.log.last === 0 && status.last) return undefined;
    if (joining && status.last && !status.joining && !status.observer && !isBehind(s, status))
      return undefined;
    if (status.observer || s.isForeign(peer) || (!joining && status.joining)) continue;
    // The others join what is founded.
    if (founders.length >= MAX_VIEW) continue;
    founders.push({ peer: peer.id, incarnation: peer.incarnation });
  }
  return founders;
}

function isBehind(s: RaftState, { last }: Standing): boolean {
  const { lastTerm } = s.log;
  const term = last?.epoch.term ?? 0;
  return term < lastTerm || (term === lastTerm && (last?.index ?? 0) < s.log.last);
}

/** Whether this member and those of a set that are bonded (silent or not) are a majority of it. */
export function reachesMajority(s: RaftState, members: readonly RaftMember[] = s.log.members): boolean {
  return members.length > 0 && countReached(s, members) >= majority(members.length);
}

export function countReached(s: RaftState, members: readonly RaftMember[]): number {
  let reached = isMember(members, s.localId, s.incarnation) ? 1 : 0;
  for (const peer of s.peers.values()) {
    if (isMember(members, peer.id, peer.incarnation) && isPresent(s, peer)) reached += 1;
  }
  return reached;
}

/** Bonded, of this side, taking part. Silent counts as present. */
export function isPresent(s: RaftState, peer: Peer): boolean {
  return !peer.status?.stopped && !s.isForeign(peer);
}
