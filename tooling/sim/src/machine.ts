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
  /** A planted bug: the machine does as if it had applied the command. */
  drops(command: SimCommand): boolean;
}

/** The key-value machine, watched. */
export function simMachine(observer: MachineObserver): SimMachine {
  const inner = keyValue();
  return {
    signature: UniqueId.from('mosaik/state-machine/simulation/1'),
    command: SimCommand,
    result: inner.result,
    output: inner.output,
    apply({ op, command }, context) {
      observer.handleApply({ op, command }, context);
      if (observer.drops({ op, command })) return { type: 'Done', index: 0 };
      return inner.apply(command, context);
    },
    query: (query) => inner.query(query),
    reset() {
      observer.handleReset();
      inner.reset?.();
    },
  };
}
