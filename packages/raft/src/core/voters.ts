import type { RaftRequest } from '@mosaik/wire';
import type { Asker, Verdict } from './asker.ts';
import { MAX_VIEW } from './config.ts';
import { countHeard, type Leadership } from './leadership.ts';
import { proposeSet } from './prospect.ts';
import { majority } from './quorum.ts';
import { changeSet, isSettled } from './set-change.ts';
import type { RaftState } from './state.ts';
import { isWitness } from './witness.ts';

/**
 * Changes the voters as somebody asked, one per entry. Refused before an entry of this epoch and the previous change are
 * committed (without the former two leaders in turn can commit by disjoint majorities), when those that are left and
 * answer would be no majority, and when a witness would be left with less than two data voters. Whoever is added is a
 * learner first; whoever is removed counts until a majority of the others has answered once more.
 */
export function changeVoters(
  s: RaftState,
  leadership: Leadership,
  { type, peer }: Extract<RaftRequest, { type: 'AddVoter' | 'RemoveVoter' }>,
  asker: Asker,
  nowMs: number,
): Verdict {
  if (s.dynamic) return 'NotAVoter';
  const { members, learners } = s.log;
  const counts = members.some((member) => member.peer === peer);
  if (type === 'AddVoter' && s.peers.get(peer)?.status?.observer) return 'NotAVoter';
  if (type === 'RemoveVoter' && !counts && !learners.includes(peer)) return 'NotAVoter';
  if (s.transfer || leadership.prospect || !isSettled(s, leadership)) return 'ChangeInProgress';
  if (type === 'AddVoter') {
    if (counts || learners.includes(peer)) return 'Done';
    if (members.length + learners.length >= MAX_VIEW) return 'Overloaded';
    changeSet(s, leadership, members, [...learners, peer]);
    leadership.change = { asker, index: s.log.last };
    if (s.peers.has(peer)) s.note('info', 'adds a voter', { peer });
    else s.note('warn', 'adds a voter that is not here: it counts once it came and caught up', { peer });
    return 'Pending';
  }
  const others = learners.filter((id) => id !== peer);
  const rest = members.filter((member) => member.peer !== peer);
  const dataVoters = [...rest.map((member) => member.peer), ...learners].filter(
    (id) => id !== peer && !isWitness(s, id),
  );
  const witnessed = rest.some((member) => isWitness(s, member.peer));
  if (dataVoters.length < (witnessed ? 2 : 1)) return 'NoQuorum';
  if (rest.length === 0 || countHeard(s, leadership, nowMs, rest) < majority(rest.length)) return 'NoQuorum';
  if (counts) proposeSet(s, leadership, { members: rest, learners: others, asker }, nowMs);
  else {
    changeSet(s, leadership, members, others);
    leadership.change = { asker, index: s.log.last };
  }
  return 'Pending';
}

/** A leader whose removal from the set is committed: it hands over, or stands down. */
export function isRemoved(s: RaftState): boolean {
  return !s.dynamic && s.leadership !== undefined && !s.counted && isSettled(s, s.leadership);
}
