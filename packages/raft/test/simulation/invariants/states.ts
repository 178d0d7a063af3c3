import { type CreateInvariant, keyOfEpoch } from './invariant.ts';

/** Equal (epoch, index), equal state, however a member came to it; snapshot ≤ applied ≤ committed. */
export const states: CreateInvariant = (checker, cluster) => {
  const known = new Map<string, string>();
  return {
    handleApplied(node, index) {
      // It has no machine, and restarts without what its log gave up.
      if (cluster.isWitness(node)) return;
      const key = `${keyOfEpoch(node.core.log.epochAt(index))}@${index}`;
      const state = `${node.hash} after ${node.commands}`;
      const before = known.get(key);
      if (before === undefined) known.set(key, state);
      else if (before !== state)
        throw checker.fail(node, `is at ${state} at ${key}; others were at ${before}`);
    },
    handleTurn(node) {
      const { snapshot, commit, log } = node.core.state;
      const index = snapshot?.index ?? 0;
      if (log.base > index || index > node.applied || node.applied > commit)
        throw checker.fail(
          node,
          `base ${log.base} ≤ snapshot ${index} ≤ applied ${node.applied} ≤ committed ${commit} is broken`,
        );
    },
  };
};
