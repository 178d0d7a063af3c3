import type { CreateInvariant } from './invariant.ts';

/** (epoch, index) names one entry and one predecessor, everywhere (Raft §5.3, log matching). */
export const entries: CreateInvariant = (checker) => {
  const known = new Map<string, { entry: string; prev: string }>();
  return {
    handleEntry(node, index, entry) {
      const { log } = node.core;
      const key = describe(log.epochAt(index)?.nonce, index);
      const prev = describe(log.epochAt(index - 1)?.nonce, index - 1);
      const text = JSON.stringify(entry, (_, value) =>
        typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? value.join() : value,
      );
      const before = known.get(key);
      if (!before) known.set(key, { entry: text, prev });
      else if (before.entry !== text || before.prev !== prev)
        throw checker.fail(node, `entry ${key} differs from another member's, or follows another one`);
    },
  };
};

function describe(nonce: bigint | undefined, index: number): string {
  return `${nonce?.toString(16) ?? ''}@${index}`;
}
