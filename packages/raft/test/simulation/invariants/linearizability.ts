import { isCommand } from '../../../src/core/log.ts';
import { commandText, parseCommand } from '../commands.ts';
import { findOrder, type RegisterOperation } from '../register.ts';
import type { Call, Read } from '../sim-node.ts';
import type { CreateInvariant } from './invariant.ts';

/** Operations on one key that may be searched together; keys with more are left to the other checks. */
const MAX_OPERATIONS = 2000;

/**
 * What clients saw of each key is what one register could have done in some order that respects time (Herlihy, Wing
 * 1990), in voters mode. Values come from the commands as they were applied, in whatever order that was.
 */
export const linearizability: CreateInvariant = (checker, cluster) => {
  if (cluster.init.mode !== 'voters') return {};
  const byKey = new Map<string, RegisterOperation[]>();
  const calls = new Map<string, RegisterOperation>();
  const reads = new Map<Read, RegisterOperation>();
  const refused = new Set<string>();
  /** Index → what was applied there, by whoever was first. */
  const applied = new Map<number, string>();
  /** Key → its values, each from an index on. */
  const values = new Map<string, { from: number; value: string | undefined }[]>();
  let clock = 0;

  const operation = (key: string, init: Pick<RegisterOperation, 'kind' | 'value' | 'expected'>) => {
    const begun: RegisterOperation = {
      ...init,
      called: clock++,
      ended: undefined,
      succeeded: true,
      happened: false,
    };
    const others = byKey.get(key);
    if (others) others.push(begun);
    else byKey.set(key, [begun]);
    return begun;
  };
  const lastChange = (key: string, index: number) => values.get(key)?.findLast(({ from }) => from <= index);

  return {
    handleSent({ value: text }: Call) {
      const command = parseCommand(text);
      if (!command) return;
      const { key, value, expected } = command;
      const kind = expected === undefined ? 'write' : 'cas';
      calls.set(text, operation(key, { kind, value, expected }));
    },
    handleAsked(read) {
      if (read.key !== '')
        reads.set(read, operation(read.key, { kind: 'read', value: undefined, expected: undefined }));
    },
    handleApplied(node, index) {
      const entry = node.core.log.entryAt(index);
      if (!entry || !isCommand(entry) || applied.has(index)) return;
      const text = commandText(entry.value);
      applied.set(index, text);
      if (refused.has(text)) throw checker.fail(node, `applies ${text} at ${index}, which was refused`);
      const call = calls.get(text);
      if (call) {
        call.happened = true;
        call.place ??= index;
      }
      const command = parseCommand(text);
      if (!command) return;
      const { key, value, expected } = command;
      const history = values.get(key) ?? [];
      values.set(key, history);
      const last = history.at(-1);
      if (expected === undefined || expected === (last?.value ?? '')) {
        history.push({ from: index, value });
        return;
      }
      if (!call) return;
      call.succeeded = false;
      call.place = last?.from ?? 0;
    },
    handleAcked(_, { value: text }) {
      const call = calls.get(text);
      if (!call) return;
      call.ended = clock++;
    },
    handleRefused(node, { value: text }) {
      refused.add(text);
      for (const [index, other] of applied)
        if (other === text) throw checker.fail(node, `refuses ${text}, which is applied at ${index}`);
    },
    handleRead(node, read) {
      const asked = reads.get(read);
      if (!asked) return;
      asked.ended = clock++;
      const last = lastChange(read.key, node.applied);
      asked.value = last?.value ?? '';
      asked.place = last?.from ?? 0;
    },
    handleQuiet() {
      const [node] = cluster.nodes;
      for (const [key, operations] of byKey) {
        if (operations.length > MAX_OPERATIONS || !node) continue;
        const problem = findOrder(operations);
        if (problem) throw checker.fail(node, `no order explains what clients saw of ${key}: ${problem}`);
      }
    },
  };
};
