import { parseEnvelope } from './envelope.ts';
import { type EntryRun, isCommand } from './log.ts';
import { storedSnapshot } from './snapshot.ts';
import type { RaftState } from './state.ts';

/**
 * Gives up what a side that is left has beyond the common prefix (consensus D8). Where that is not known for certain,
 * or only the snapshot remembers what was before, everything is given up and learnt anew.
 */
export function revertTo(s: RaftState, { index, exact }: { index: number; exact: boolean }): void {
  const { base } = s.log;
  const floor = Math.max(base, s.snapshot?.index ?? 0);
  const from = Math.max(index, base) + 1;
  const lost = s.log.range(from, s.log.last);
  const complete = exact && index >= base;
  const anew = !exact || index < floor;
  const to = anew ? 0 : index;
  const applied = s.commit;
  if (to > 0 || floor === 0) s.truncateTo(to);
  else s.resetLog();
  s.commit = Math.min(s.commit, to);
  s.outbox.limitTo(to);
  s.emit({ type: 'revert', to, from, lost, complete });
  if (anew ? applied === 0 : !holdsCommand(lost, applied + 1 - from)) return;
  const sessions = s.snapshot ? parseEnvelope(s.snapshot.envelope).sessions : new Uint8Array();
  s.emit({ type: 'restore', snapshot: s.snapshot && storedSnapshot(s.snapshot), sessions });
  s.emit({ type: 'apply', to });
}

/** Whether a command is among the first `count` of these entries. */
function holdsCommand(runs: readonly EntryRun[], count: number): boolean {
  let left = count;
  for (const { entries } of runs) {
    if (entries.slice(0, Math.max(0, left)).some(isCommand)) return true;
    left -= entries.length;
  }
  return false;
}
