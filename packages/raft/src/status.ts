import type { PeerId } from '@mosaik/wire';
import { countReached, reachesMajority } from './core/electorate.ts';
import { sameEpoch } from './core/epoch.ts';
import { countHeard } from './core/leadership.ts';
import { majority } from './core/quorum.ts';
import type { RaftState } from './core/state.ts';
import { genesisVoters } from './core/witness.ts';
import { describeLacking } from './core/witness-retention.ts';

export type Role = 'leader' | 'follower' | 'candidate';

/** One immutable picture of a member; a new one at most once per turn. */
export interface RaftStatus {
  /** `diverged`: its side gave way to another and its machine could not; `failed`: found a broken promise, or its machine threw. */
  readonly state: 'running' | 'diverged' | 'failed' | 'closed';
  /** What an operator should know: why it stopped, or why it does not count. */
  readonly problem?: string | undefined;
  readonly role: Role;
  readonly term: number;
  readonly leader?: PeerId | undefined;
  /** It leads, or is a caught-up follower of a known leader. */
  readonly online: boolean;
  readonly committed: number;
  readonly applied: number;
  /** Of the last entry; zeros for an empty log. */
  readonly logPosition: { readonly term: number; readonly index: number };
  /** `have`: members of the set in force that are reached, this one included; `need`: its majority. */
  readonly quorum: { readonly mode: 'dynamic' | 'voters'; readonly have: number; readonly need: number };
  /** The set in force: the view, or the voters. */
  readonly members: readonly PeerId[];
  /** Of a group with an explicit set. */
  readonly voters?: VoterSet | undefined;
  /** A leader that does not reach a majority, or gave way to another side: it acknowledges nothing. */
  readonly suspended: boolean;
  /** Commands that this member gave up since it was opened, because its side lost to another; absent while none. */
  readonly reverted?: number | undefined;
}

/** The voters as this member's log has them. */
export interface VoterSet {
  /** The list that is part of the group's identity, whatever the set became since. */
  readonly genesis: readonly PeerId[];
  /** Of the same: who keeps the log without a state machine. */
  readonly witnesses: readonly PeerId[];
  /** Who counts. */
  readonly current: readonly PeerId[];
  /** Who will as soon as it has caught up: new, or back without its log. */
  readonly learners: readonly PeerId[];
  /** The last change is not committed, as far as this member knows. */
  readonly changing: boolean;
}

export function describeState(s: RaftState, applied: number, nowMs: number): RaftStatus {
  const { log, leadership } = s;
  const quorum = s.config.consensus.quorum;
  const genesis = quorum.type === 'Voters' && log.last === 0 ? genesisVoters(s) : undefined;
  const members = genesis ?? log.members.map(({ peer }) => peer);
  const have = genesis
    ? genesis.filter((peer) => peer === s.localId || s.peers.has(peer)).length
    : leadership
      ? countHeard(s, leadership, nowMs)
      : countReached(s, log.members);
  const suspended = leadership !== undefined && !s.serves;
  const opened = leadership !== undefined && s.commit >= leadership.openingIndex;
  return {
    state: s.stopped ?? 'running',
    problem: s.problem ?? describeHandicap(s, nowMs),
    role: s.role,
    term: s.term,
    leader: s.leader,
    online:
      s.stopped === undefined && (leadership ? opened && !suspended : s.leader !== undefined && s.caughtUp),
    committed: s.commit,
    applied,
    logPosition: { term: log.lastTerm, index: log.last },
    quorum: { mode: s.dynamic ? 'dynamic' : 'voters', have, need: majority(members.length) },
    members,
    voters: describeVoters(s),
    suspended,
  };
}

/** The picture before, with what has changed when the log only went on. */
export function describeProgress(before: RaftStatus, s: RaftState, applied: number): RaftStatus {
  // Field by field, because this runs every turn, where a spread takes several times as long.
  return {
    state: before.state,
    problem: before.problem,
    role: before.role,
    term: before.term,
    leader: before.leader,
    online: before.online,
    committed: s.commit,
    applied,
    logPosition: { term: s.log.lastTerm, index: s.log.last },
    quorum: before.quorum,
    members: before.members,
    voters: before.voters,
    suspended: before.suspended,
    reverted: before.reverted,
  };
}

function describeVoters(s: RaftState): VoterSet | undefined {
  const { quorum } = s.config.consensus;
  if (quorum.type !== 'Voters') return undefined;
  const { log } = s;
  return {
    genesis: quorum.voters,
    witnesses: quorum.witnesses,
    current: log.members.map(({ peer }) => peer),
    learners: log.learners,
    changing: s.commit < log.membersIndex,
  };
}

function meetsAnotherHistory(s: RaftState): boolean {
  for (const { status } of s.peers.values()) {
    if (status?.last && !sameEpoch(status.sides[0], s.side)) return true;
  }
  return false;
}

/** Why this member does not count, or why no leader is to be expected. */
function describeHandicap(s: RaftState, nowMs: number): string | undefined {
  const { quorum, bootstrapDelayMs } = s.config.consensus;
  if (quorum.type !== 'Voters') return undefined;
  const { last, members } = s.log;
  const lacking = describeLacking(s);
  if (lacking !== undefined) return lacking;
  if (last > 0 && meetsAnotherHistory(s))
    return 'this group was begun anew by force, and not all members know: those with an old log have to come back without it';
  if (s.leader !== undefined) {
    if (s.counted || !s.log.learners.includes(s.localId)) return undefined;
    return 'this voter is new, or lost its log: it follows and serves reads, and counts for nothing until it has caught up';
  }
  // Elections take their time: only what lasts is a problem.
  const patienceMs = 2 * s.electionTimeoutMs + (last === 0 ? bootstrapDelayMs : 0);
  if (nowMs < s.lastContactMs + patienceMs) return undefined;
  if (last === 0) {
    if ([...s.peers.values()].some(({ status }) => status?.last))
      return 'this member has no log, others have one, and there is no leader to learn it from';
    const missing = genesisVoters(s).filter((id) => id !== s.localId && !s.peers.has(id));
    if (missing.length === 0) return undefined;
    return `the group has not begun: that needs every voter at once; missing: ${missing.join(', ')}`;
  }
  const forgot = members.filter(({ peer, incarnation }) => {
    const bonded = s.peers.get(peer);
    return bonded !== undefined && bonded.incarnation !== incarnation;
  });
  if (forgot.length === 0 || reachesMajority(s)) return undefined;
  return (
    `no leader can be elected: ${forgot.length} of ${members.length} voters came back without their log, ` +
    `${countReached(s, members)} of the ${majority(members.length)} needed are here with it`
  );
}
