import type { Effect } from '../../../src/core/effect.ts';
import { isCommand } from '../../../src/core/log.ts';
import type { SimNode } from '../sim-node.ts';
import type { CreateInvariant } from './invariant.ts';

/** In a machine: index → the nonce of the epoch, commands only. */
interface Life {
  readonly life: number;
  readonly applied: Map<number, bigint>;
}

/**
 * Consensus D8: each member says which commands it gives up, and of those that it applied none is missing; where stores
 * are kept, every acknowledged write is kept or somebody said that it is lost.
 */
export const reverts: CreateInvariant = (checker, cluster) => {
  const lives = new Map<SimNode, Life>();
  let forgotten = false;
  let incomplete = false;

  const appliedBy = (node: SimNode) => {
    let life = lives.get(node);
    if (life?.life !== node.life) {
      life = { life: node.life, applied: new Map() };
      lives.set(node, life);
    }
    return life.applied;
  };

  return {
    handleForgotten() {
      forgotten = true;
    },
    handleApplied(node, index) {
      const entry = node.core.log.entryAt(index);
      const nonce = node.core.log.epochAt(index)?.nonce;
      if (!entry || !isCommand(entry) || nonce === undefined) return;
      const before = appliedBy(node).get(index);
      if (before !== undefined && before !== nonce)
        throw checker.fail(node, `applies another command at ${index}, and did not revert it`);
      appliedBy(node).set(index, nonce);
    },
    handleReverted(node, { to, from, lost, complete }) {
      const named = new Set<string>();
      for (const { key, index } of commandsOf(from, lost)) {
        named.add(key);
        checker.lost.add(key);
        if (index <= to) throw checker.fail(node, `says that ${key} is lost, and keeps up to ${to}`);
      }
      const applied = appliedBy(node);
      for (const [index, nonce] of applied) {
        if (index <= to) continue;
        if (complete && index >= from && !named.has(`${nonce}@${index}`))
          throw checker.fail(node, `gives up ${nonce}@${index} and does not say so`);
        applied.delete(index);
      }
      if (!complete) incomplete = true;
    },
    handleQuiet() {
      for (const node of cluster.nodes) {
        for (const [index, nonce] of appliedBy(node)) {
          if (node.core.log.epochAt(index)?.nonce !== nonce)
            throw checker.fail(node, `applied ${nonce}@${index}, which is not in its log, and never said so`);
        }
      }
      const [node] = cluster.nodes;
      if (!node || forgotten || incomplete) return;
      for (const { from, nonce, value } of checker.acked) {
        if (node.core.log.epochAt(from)?.nonce === nonce || checker.lost.has(`${nonce}@${from}`)) continue;
        throw checker.fail(node, `lost the acknowledged write ${value} at ${from}, and nobody said so`);
      }
    },
  };
};

function* commandsOf(
  from: number,
  lost: Extract<Effect, { type: 'revert' }>['lost'],
): Generator<{ key: string; index: number }> {
  let index = from;
  for (const { epoch, entries } of lost) {
    for (const entry of entries) {
      if (isCommand(entry)) yield { key: `${epoch.nonce}@${index}`, index };
      index += 1;
    }
  }
}
