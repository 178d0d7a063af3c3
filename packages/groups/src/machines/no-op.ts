import type { StateMachine } from '@mosaik/raft';
import { UniqueId, unit } from '@mosaik/wire';

/** Keeps no state and has nothing to say: a group that wants only membership and an elected leader. */
export type NoOp = StateMachine<undefined, undefined, undefined>;

export function noOp(): NoOp {
  return {
    signature: UniqueId.from('mosaik/state-machine/no-op/1'),
    command: unit,
    apply() {},
    query() {
      return undefined;
    },
    snapshot: () => new Uint8Array(),
    restore() {},
    reset() {},
  };
}
