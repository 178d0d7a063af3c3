import type { PeerId, RaftMember } from '@mosaik/wire';
import type { Leadership } from './leadership.ts';
import type { RaftState } from './state.ts';

/** An entry of this epoch and the last change of the set are committed: the set may be changed again. */
export function isSettled(s: RaftState, leadership: Leadership): boolean {
  return s.commit >= leadership.openingIndex && s.commit >= s.log.membersIndex;
}

export function changeSet(
  s: RaftState,
  leadership: Leadership,
  members: readonly RaftMember[],
  learners: readonly PeerId[],
): void {
  s.appendEntries(leadership.epoch, [{ type: 'View', members: [...members], learners: [...learners] }]);
}
