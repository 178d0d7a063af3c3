import type { ConsensusConfig, GroupId, NetworkId, PeerId } from '@mosaik/wire';
import type { CompactionOptions } from './compaction.ts';
import type { RaftComponents } from './components.ts';
import type { ToError } from './errors.ts';
import type { Preference } from './preference.ts';
import type { Reverted } from './reverted.ts';
import type { StateMachine } from './state-machine.ts';
import type { LogStorage } from './storage/log-storage.ts';

export interface RaftNodeInit<C, Q, R, O> {
  readonly localId: PeerId;
  readonly groupId: GroupId;
  readonly networkId: NetworkId;
  readonly config: ConsensusConfig;
  readonly preference: Preference;
  readonly machine: StateMachine<C, Q, R, O>;
  /** Default: a fresh `memoryLogStorage()`. */
  readonly storage?: LogStorage | undefined;
  /** Of a machine with `snapshot` and `restore`, without which the log is kept whole, and of a witness. */
  readonly compaction?: CompactionOptions | undefined;
  readonly components: RaftComponents;
  /** Puts what calls reject with in the words of whoever gives this; default: as it is. */
  readonly toError?: ToError | undefined;
  /** Commands of this member's log are gone: once for each time, when it has caught up with the side that has others. */
  readonly handleReverted?: ((reverted: Reverted<C>) => void) | undefined;
}
