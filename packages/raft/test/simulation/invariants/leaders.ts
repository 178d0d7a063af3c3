import type { SimNode } from '../sim-node.ts';
import { type CreateInvariant, sideOf } from './invariant.ts';

/** A leader never rewrites its log (Raft §5.3), and has whatever was committed on its side (§5.4.3). */
export const leaders: CreateInvariant = (checker) => {
  const leading = new Map<SimNode, { nonce: bigint; last: number }>();
  return {
    handleStart: (node) => {
      leading.delete(node);
    },
    handleForgotten: (node) => {
      leading.delete(node);
    },
    handleWrite(node, write) {
      const s = node.core.state;
      const nonce = leading.get(node)?.nonce;
      if (s.role === 'leader' && s.epoch?.nonce === nonce && write.truncateTo !== undefined)
        throw checker.fail(node, `a leader rewrites its log from ${write.truncateTo}`);
    },
    handleStep(node) {
      const s = node.core.state;
      if (s.role !== 'leader' || !s.epoch || !s.leadership) {
        leading.delete(node);
        return;
      }
      const known = leading.get(node);
      if (known?.nonce === s.epoch.nonce) {
        if (s.log.last < known.last) throw checker.fail(node, 'a leader shortens its log');
        known.last = s.log.last;
        return;
      }
      leading.set(node, { nonce: s.epoch.nonce, last: s.log.last });
      for (const [index, { nonce, term }] of checker.committedOn(sideOf(node))) {
        // Whoever learns late that it was elected may be of a term that is over.
        if (term <= s.term && s.log.epochAt(index)?.nonce !== nonce)
          throw checker.fail(node, `leads without the committed entry ${index} of its side`);
      }
    },
  };
};
