import type { RaftRun } from '@mosaik/wire';
import { sameEpoch } from './epoch.ts';

/** A log as its run table tells it: which epoch starts where, and where the log ends. */
export interface RunTable {
  readonly runs: readonly RaftRun[];
  readonly last: number;
}

/**
 * The last index where two logs agree. `exact` is false when the tables do not reach back far enough; `index` is then an
 * upper bound.
 */
export function commonPrefix(own: RunTable, theirs: RunTable): { index: number; exact: boolean } {
  const firstKnown = own.runs[0]?.first ?? 1;
  let theirEnd = theirs.last;
  for (let i = theirs.runs.length - 1; i >= 0; i -= 1) {
    const their = theirs.runs[i];
    if (!their) continue;
    const at = own.runs.findLastIndex((run) => sameEpoch(run.epoch, their.epoch));
    if (own.runs[at]?.first === their.first) {
      const ownEnd = (own.runs[at + 1]?.first ?? own.last + 1) - 1;
      // A table that contradicts itself must not lead outside of the log.
      return { index: Math.max(0, Math.min(theirEnd, ownEnd)), exact: true };
    }
    if (their.first < firstKnown)
      return { index: Math.max(0, Math.min(theirEnd, firstKnown - 1)), exact: false };
    theirEnd = their.first - 1;
  }
  const end = Math.min(theirEnd, own.last);
  return { index: Math.max(0, end), exact: end <= 0 };
}
