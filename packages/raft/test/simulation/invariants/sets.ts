import type { LogEntry, RaftMember } from '@mosaik/wire';
import { sameEpoch } from '../../../src/core/epoch.ts';
import type { RaftLog } from '../../../src/core/log.ts';
import { majority } from '../../../src/core/quorum.ts';
import type { CreateInvariant } from './invariant.ts';

/**
 * Consecutive sets differ by one member at most, and by one learner; when the next is appended, the former and an entry
 * of the leader's own epoch are committed; an opening repeats the set of its log, unless it is forced or the first. A
 * witness leads without commands of its own. No change takes the majority of a fixed set from those that have their logs.
 */
export const sets: CreateInvariant = (checker, cluster) => {
  /** Whether a majority still has what it had as a member. */
  const isKept = (members: readonly RaftMember[]) =>
    members.filter(({ peer, incarnation }) =>
      cluster.nodes.some(({ id, store }) => id === peer && store.hardState?.incarnation === incarnation),
    ).length >= majority(members.length);
  return {
    handleEntry(node, index, entry) {
      const s = node.core.state;
      if (s.role !== 'leader' || !sameEpoch(s.log.epochAt(index), s.epoch)) return;
      if (isCommand(entry) && cluster.isWitness(node)) throw checker.fail(node, 'a witness takes commands');
      if (isCommand(entry) || entry.type === 'Session') return;
      const before = setBefore(s.log, index);
      if (!before) return;
      const members = difference(names(before.entry.members), names(entry.members));
      const learners = difference(before.entry.learners, entry.learners);
      if (entry.type === 'Opening') {
        if (!entry.forced && members + learners > 0)
          throw checker.fail(node, 'opens with another set than its log has');
        return;
      }
      if (members > 1 || learners > 1)
        throw checker.fail(node, `the set of ${index} differs by ${members} members, ${learners} learners`);
      if (s.commit < before.index)
        throw checker.fail(node, `changes the set at ${index}; ${before.index} is not committed`);
      if (s.commit < (s.leadership?.openingIndex ?? 0))
        throw checker.fail(node, `changes the set at ${index} before an entry of its epoch is committed`);
      if (cluster.init.mode === 'voters' && isKept(before.entry.members) && !isKept(entry.members))
        throw checker.fail(node, `changes the set at ${index} to one whose majority has lost its log`);
    },
  };
};

function isCommand(entry: LogEntry): entry is Extract<LogEntry, { value: Uint8Array }> {
  return entry.type === 'Command' || entry.type === 'CommandMore';
}

/** The entry that put the set in force before `index`. */
export function setBefore(log: RaftLog, index: number) {
  for (let at = index - 1; at > 0; at -= 1) {
    const entry = log.entryAt(at);
    if (entry && !isCommand(entry) && entry.type !== 'Session') return { index: at, entry };
  }
  return undefined;
}

function names(members: readonly RaftMember[]): string[] {
  return members.map(({ peer, incarnation }) => `${peer}:${incarnation}`);
}

function difference(a: readonly string[], b: readonly string[]): number {
  return a.filter((name) => !b.includes(name)).length + b.filter((name) => !a.includes(name)).length;
}
