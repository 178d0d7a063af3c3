import type { LogEntry } from '@mosaik/wire';
import { isCommand } from '../../../src/core/log.ts';
import { commandText } from '../commands.ts';
import { type CreateInvariant, keyOfEpoch } from './invariant.ts';

/** (epoch, index) names one entry and one predecessor, everywhere (Raft §5.3, log matching). */
export const entries: CreateInvariant = (checker) => {
  const known = new Map<string, { entry: string; before: bigint | undefined }>();
  return {
    handleEntry(node, index, entry) {
      const { log } = node.core;
      const key = `${keyOfEpoch(log.epochAt(index))}@${index}`;
      const before = log.epochAt(index - 1)?.nonce;
      const text = describe(entry);
      const first = known.get(key);
      if (!first) known.set(key, { entry: text, before });
      else if (first.entry !== text || first.before !== before)
        throw checker.fail(node, `entry ${key} differs from another member's, or follows another one`);
    },
  };
};

/** All that it says; commands, which logs are made of, without a detour. */
function describe(entry: LogEntry): string {
  if (!isCommand(entry))
    return JSON.stringify(entry, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  const { type, session, sequence, unacked, key = '', value } = entry;
  return `${type} ${session} ${sequence} ${unacked} ${key} ${commandText(value)}`;
}
