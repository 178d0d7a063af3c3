import type { RaftBody, RaftEpoch } from '@mosaik/wire';
import { sameEpoch } from '../epoch.ts';

type SyncPlan = Extract<RaftBody, { type: 'SyncPlan' }>;

/** Which epoch the leader has at `index`; undefined where its table does not reach. */
export function epochIn({ runs, last }: SyncPlan, index: number): RaftEpoch | undefined {
  if (index > last) return undefined;
  return runs.findLast(({ first }) => first <= index)?.epoch;
}

/** Whether [first, last] lies within one run of the leader's, of that epoch. Below its table it is the leader's word. */
export function isOfRun(plan: SyncPlan, epoch: RaftEpoch, first: number, last: number): boolean {
  const known = plan.runs[0]?.first ?? 1;
  if (last < known) return true;
  const own = epochIn(plan, last);
  return (
    sameEpoch(own, epoch) && (first < known || plan.runs.findLast((run) => run.first <= first)?.epoch === own)
  );
}
