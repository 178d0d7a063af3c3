import type { PeerId } from '@mosaik/wire';
import { countReached } from './core/electorate.ts';
import { majority } from './core/quorum.ts';
import { countHeard } from './core/roles/leader.ts';
import type { RaftState } from './core/state.ts';

export type Role = 'leader' | 'follower' | 'candidate';

/** One immutable picture of a member; a new one at most once per turn. */
export interface RaftStatus {
  /** `diverged`: met a conflicting side and stopped; `failed`: found a broken promise, or its machine threw. */
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
  /** A leader that does not reach a majority: it acknowledges nothing. */
  readonly suspended: boolean;
}

export function describeState(s: RaftState, applied: number, nowMs: number): RaftStatus {
  const { log, leadership } = s;
  const quorum = s.config.consensus.quorum;
  const genesis = quorum.type === 'Voters' && log.last === 0 ? quorum.voters : undefined;
  const members = genesis ?? log.members.map(({ peer }) => peer);
  const have = genesis
    ? genesis.filter((peer) => peer === s.localId || s.peers.has(peer)).length
    : leadership
      ? countHeard(s, leadership, nowMs)
      : countReached(s, log.members);
  const suspended = leadership?.suspendedSinceMs !== undefined;
  const opened = leadership !== undefined && s.commit >= leadership.openingIndex;
  return {
    state: s.stopped ?? 'running',
    problem: s.problem ?? describeHandicap(s),
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
    suspended,
  };
}

/** A listed voter whose store forgot counts for nothing until it is admitted anew: it has to say so. */
function describeHandicap(s: RaftState): string | undefined {
  const quorum = s.config.consensus.quorum;
  if (quorum.type !== 'Voters' || s.log.last === 0 || s.counted || !quorum.voters.includes(s.localId))
    return undefined;
  return 'this voter lost its log: it follows and serves reads, and counts for nothing until it is admitted again';
}
