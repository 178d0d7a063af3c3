import type { LogEntry } from '@mosaik/wire';
import type { Checker } from '../checker.ts';
import { commandText } from '../commands.ts';
import type { SimNode } from '../sim-node.ts';
import type { CreateInvariant } from './invariant.ts';

/**
 * A success names that very entry, strong reads see what was acknowledged before, and after quiet no acknowledged write
 * is missing: in voters mode, and in dynamic mode while no epoch was forced after the first.
 */
export const clients: CreateInvariant = (checker, cluster) => {
  const bound = () => cluster.init.mode === 'voters' || checker.forcedEpochs.size <= 1;
  return {
    handleAcked(node, call) {
      if (checker.textAt(call.nonce, call.from) !== call.value)
        throw checker.fail(node, `acknowledges ${call.value}, but index ${call.from} holds something else`);
    },
    handleRead(node, { floor }) {
      if (bound() && node.applied < floor)
        throw checker.fail(
          node,
          `answers a strong read at ${node.applied}; ${floor} was acknowledged before`,
        );
    },
    handleQuiet() {
      if (bound()) for (const node of cluster.nodes) assertKept(checker, node);
    },
  };
};

export function assertKept(checker: Checker, node: SimNode): void {
  const { log } = node.core;
  for (const { from, nonce, value } of checker.acked) {
    const { base, last } = log;
    // What was given up, or installed as a snapshot, is told by the run table.
    const found = from > base && from <= last ? textOf(log.entryAt(from)) : checker.textAt(nonce, from);
    if (log.epochAt(from)?.nonce !== nonce || found !== value)
      throw checker.fail(node, `lost the acknowledged write ${value} at ${from} (found ${found})`);
  }
}

function textOf(entry: LogEntry | undefined): string | undefined {
  return entry?.type === 'Command' ? commandText(entry.value) : undefined;
}
