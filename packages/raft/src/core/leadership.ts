import type { PeerId, RaftEpoch, RaftMember } from '@mosaik/wire';
import type { Asker } from './asker.ts';
import type { ClaimOut } from './claim.ts';
import type { Progress } from './progress.ts';
import type { Prospect } from './prospect.ts';
import type { RaftState } from './state.ts';

/** What only a leader keeps. */
export interface Leadership {
  readonly epoch: RaftEpoch;
  /** Index of its opening entry: from there on everything is its own. */
  readonly openingIndex: number;
  readonly sinceMs: number;
  readonly progress: Map<PeerId, Progress>;
  /** Newest read round sent. */
  round: number;
  /** Whoever has not confirmed this round was not heard since this leader was away. */
  freshRound: number;
  /** Turn whose end tells callers that the commit index went on. */
  commitTurn: number;
  /** Turn that asked for another one. */
  askedTurn: number;
  uncommittedBytes: number;
  heartbeatDeadlineMs: number;
  suspendedSinceMs: number | undefined;
  /** Members of the set that answered within an election timeout, when last counted. */
  heard: number;
  /** Incarnations that lost what they acknowledged, while this leader leads. */
  readonly forgetful: Map<PeerId, bigint>;
  /** The next set, which is not in the log yet. */
  prospect: Prospect | undefined;
  /** A change of the set that somebody waits for. */
  change: { readonly asker: Asker; readonly index: number } | undefined;
  /** To the leader of another side, and when the next one may be made. */
  claim: ClaimOut | undefined;
  claimAfterMs: number;
}

/** Members of the set that answered within an election timeout, this one included. */
export function countHeard(
  s: RaftState,
  leadership: Leadership,
  nowMs: number,
  members: readonly RaftMember[] = s.log.members,
): number {
  let heard = 0;
  for (const { peer, incarnation } of members) {
    if (peer === s.localId) {
      if (incarnation === s.incarnation) heard += 1;
      continue;
    }
    const progress = leadership.progress.get(peer);
    if (progress?.incarnation !== incarnation || progress.forgot) continue;
    if (progress.round < leadership.freshRound) continue;
    if (nowMs - progress.lastAckMs <= s.electionTimeoutMs) heard += 1;
  }
  return heard;
}
