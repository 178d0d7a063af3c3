import type { RaftMember, RaftRun } from '@mosaik/wire';
import { compareEpochs, sameEpoch } from './epoch.ts';
import type { Standing } from './peer.ts';
import { commonPrefix } from './runs.ts';

/**
 * Which of two sides stays when they meet (consensus D6). The same two pictures give the opposite answer at the other
 * end: exactly one outranks the other.
 *
 * The side that would lose commands beats the one that loses none; then the trunk beats what was forced out of it; then
 * the larger view, the higher commit index, the higher term, the later side.
 */
export function outranks(mine: Standing, theirs: Standing): boolean {
  const my = mine.sides[0];
  const their = theirs.sides[0];
  if (!my || !their) return my !== undefined;
  const order = compareEpochs(my, their) > 0;
  // From the same end whoever asks: tables that do not reach back far enough are not symmetric.
  const common = order ? commonIndex(mine, theirs) : commonIndex(theirs, mine);
  const iLose = mine.lastCommand > common;
  const theyLose = theirs.lastCommand > common;
  if (iLose !== theyLose) return iLose;
  const iAmTrunk = theirs.sides.some((side) => sameEpoch(side, my));
  const theyAreTrunk = mine.sides.some((side) => sameEpoch(side, their));
  if (iAmTrunk !== theyAreTrunk) return iAmTrunk;
  const advantage =
    weight(mine.view, theirs) - weight(theirs.view, mine) ||
    mine.committed - theirs.committed ||
    mine.term - theirs.term;
  return advantage === 0 ? order : advantage > 0;
}

function commonIndex(a: Standing, b: Standing): number {
  return commonPrefix(tableOf(a), tableOf(b)).index;
}

export function tableOf({ runs, last }: Standing): { runs: readonly RaftRun[]; last: number } {
  return { runs, last: last?.index ?? 0 };
}

/** Members that the other side does not know to have forgotten: amnesiacs do not outvote what they forgot. */
function weight(view: readonly RaftMember[], other: Standing): number {
  const forgot =
    ({ peer, incarnation }: RaftMember) =>
    (known: RaftMember) =>
      known.peer === peer && known.incarnation !== incarnation;
  return view.filter((member) => !other.view.some(forgot(member)) && !other.former.some(forgot(member)))
    .length;
}
