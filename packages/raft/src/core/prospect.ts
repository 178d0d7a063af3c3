import type { PeerId, RaftMember } from '@mosaik/wire';
import { type Asker, answerRequest } from './asker.ts';
import type { Leadership } from './leadership.ts';
import { majority } from './quorum.ts';
import { changeSet, isSettled } from './set-change.ts';
import type { RaftState } from './state.ts';

/**
 * The next set of a group with a fixed one: it takes effect once a majority of it has answered a round that was sent
 * after it was asked for. What was heard before does not do: a store may be lost without anybody having noticed, and a
 * set that never had a majority with its logs would end the group, though the set before it had one.
 */
export interface Prospect {
  readonly members: readonly RaftMember[];
  readonly learners: readonly PeerId[];
  /** The set that it changes. */
  readonly basis: number;
  readonly round: number;
  readonly deadlineMs: number;
  readonly asker: Asker | undefined;
}

export function proposeSet(
  s: RaftState,
  leadership: Leadership,
  next: Pick<Prospect, 'members' | 'learners' | 'asker'>,
  nowMs: number,
): void {
  leadership.round += 1;
  leadership.prospect = {
    ...next,
    basis: s.log.membersIndex,
    round: leadership.round,
    deadlineMs: nowMs + s.electionTimeoutMs,
  };
  maybeAdopt(s, leadership);
}

/** The round was answered, or the leader is a majority by itself. */
export function maybeAdopt(s: RaftState, leadership: Leadership): void {
  const { prospect } = leadership;
  if (!prospect || countAnswers(s, leadership, prospect) < majority(prospect.members.length)) return;
  leadership.prospect = undefined;
  const { asker, members, learners } = prospect;
  if (s.transfer || s.log.membersIndex !== prospect.basis || !isSettled(s, leadership)) {
    if (asker) answerRequest(s, asker, 'ChangeInProgress');
    return;
  }
  changeSet(s, leadership, members, learners);
  if (asker) leadership.change = { asker, index: s.log.last };
  s.note('info', 'changes the voters', { voters: members.length, learners: learners.length });
}

/** No majority of it answered in time: nothing was appended. */
export function handleProspectTick(s: RaftState, leadership: Leadership, nowMs: number): void {
  const { prospect } = leadership;
  if (!prospect || nowMs < prospect.deadlineMs) return;
  leadership.prospect = undefined;
  s.note('warn', 'does not change the voters: no majority of the next set answers');
  if (prospect.asker) answerRequest(s, prospect.asker, 'NoQuorum');
}

function countAnswers(s: RaftState, leadership: Leadership, { members, round }: Prospect): number {
  let answers = 0;
  for (const { peer, incarnation } of members) {
    const progress = leadership.progress.get(peer);
    if (peer === s.localId) answers += incarnation === s.incarnation ? 1 : 0;
    else if (progress?.incarnation === incarnation && !progress.forgot && progress.round >= round)
      answers += 1;
  }
  return answers;
}
