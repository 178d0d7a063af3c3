import type { RaftBody, RaftEpoch, RaftRun } from '@mosaik/wire';
import { sameEpoch } from '../epoch.ts';

type SyncPlan = Extract<RaftBody, { type: 'SyncPlan' }>;

/** Which epoch the leader has at `index`; undefined where its table does not reach. */
export function epochIn(plan: SyncPlan, index: number): RaftEpoch | undefined {
  return index > plan.last ? undefined : runAt(plan, index)?.epoch;
}

function runAt({ runs }: SyncPlan, index: number): RaftRun | undefined {
  return runs.findLast(({ first }) => first <= index);
}

/** Whether [first, last] lies within one run of the leader's, of that epoch. Below its table it is the leader's word. */
export function isOfRun(plan: SyncPlan, epoch: RaftEpoch, first: number, last: number): boolean {
  const known = plan.runs[0]?.first ?? 1;
  if (last < known) return true;
  return sameEpoch(epochIn(plan, last), epoch) && (first < known || runAt(plan, first) === runAt(plan, last));
}
