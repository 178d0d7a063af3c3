import {
  type ApplyContext,
  KeyValueCommand,
  type KeyValueOutput,
  type KeyValueQuery,
  type KeyValueResult,
  keyValue,
  type StateMachine,
} from '@mosaik/groups';
import { type Infer, safeU64, struct, UniqueId } from '@mosaik/wire';

/** A key-value command that can be told from every other: the checks follow each through every log. */
export const SimCommand = struct('SimCommand', { op: safeU64, command: KeyValueCommand });
export type SimCommand = Infer<typeof SimCommand>;

export type SimMachine = StateMachine<SimCommand, KeyValueQuery, KeyValueResult, KeyValueOutput>;

export interface MachineObserver {
  handleApply(command: SimCommand, context: ApplyContext): void;
  handleReset(): void;
  /** The state is that after the command at `index`, by a snapshot. */
  handleRestore(index: number): void;
  /** A planted bug: the machine does as if it had applied the command. */
  drops(command: SimCommand): boolean;
}

/** Where the last command was applied, in front of a snapshot. */
const POSITION_BYTES = 8;

/** The key-value machine, watched. */
export function simMachine(observer: MachineObserver): SimMachine {
  const inner = keyValue();
  let applied = 0;
  return {
    signature: UniqueId.from('mosaik/state-machine/simulation/1'),
    command: SimCommand,
    result: inner.result,
    output: inner.output,
    apply({ op, command }, context) {
      observer.handleApply({ op, command }, context);
      applied = context.index;
      if (observer.drops({ op, command })) return { type: 'Done', index: 0 };
      return inner.apply(command, context);
    },
    query: (query) => inner.query(query),
    reset() {
      observer.handleReset();
      applied = 0;
      inner.reset?.();
    },
    snapshot() {
      const position = new Uint8Array(POSITION_BYTES);
      new DataView(position.buffer).setBigUint64(0, BigInt(applied));
      const parts = inner.snapshot?.() ?? [];
      return [position, ...(parts instanceof Uint8Array ? [parts] : parts)];
    },
    restore(bytes) {
      applied = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
      observer.handleRestore(applied);
      inner.restore?.(bytes.subarray(POSITION_BYTES));
    },
  };
}
