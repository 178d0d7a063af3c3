import type { ConsensusConfig, GroupId, NetworkId, PeerId } from '@mosaik/wire';
import type { Watch } from '@mosaik/wire/runtime';
import type { RaftComponents } from './components.ts';
import type { Preference } from './preference.ts';
import type { StateMachine } from './state-machine.ts';
import type { RaftStatus } from './status.ts';
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
  readonly components: RaftComponents;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

export interface QueryOptions extends CallOptions {
  consistency: 'weak' | 'strong';
  /** Waits until this index is applied here. */
  minIndex?: number | undefined;
}

/** One member of one group. */
export class RaftNode<C, Q, R, O = void> {
  /** @throws RangeError / TypeError for a preference or machine that the configuration does not allow. */
  static async open<C, Q, R, O = void>(_init: RaftNodeInit<C, Q, R, O>): Promise<RaftNode<C, Q, R, O>> {
    throw new Error('not built yet');
  }

  /** Of the log store, as it was when opened: goes into the handshake of every bond. */
  readonly incarnation: bigint = 0n;
  readonly status: Watch<RaftStatus> = undefined as never;

  handleBondUp(_peer: PeerId, _incarnation: bigint): void {}

  /** `departed`: the peer said that it leaves. */
  handleBondDown(_peer: PeerId, _departed: boolean): void {}

  /**
   * Takes one message of the bond with `peer`, of either lane. The bytes are the node's from then on: it keeps views.
   *
   * @throws WireError on malformed input: the bond is to be closed with 400.
   */
  handleMessage(_peer: PeerId, _bytes: Uint8Array): void {}

  /** Resolves when this very command is committed and applied here. */
  execute(_command: C, _options: CallOptions = {}): Promise<{ index: number; output: O }> {
    return Promise.reject(new Error('not built yet'));
  }

  /** One contiguous run, all or none. */
  executeMany(
    _commands: readonly C[],
    _options: CallOptions = {},
  ): Promise<{ from: number; to: number; outputs: O[] }> {
    return Promise.reject(new Error('not built yet'));
  }

  /** Resolves when the command has its place in the leader's log: not yet committed. */
  feed(_command: C, _options: CallOptions = {}): Promise<number> {
    return Promise.reject(new Error('not built yet'));
  }

  feedMany(_commands: readonly C[], _options: CallOptions = {}): Promise<{ from: number; to: number }> {
    return Promise.reject(new Error('not built yet'));
  }

  query(_query: Q, _options: QueryOptions): Promise<{ result: R; index: number }> {
    return Promise.reject(new Error('not built yet'));
  }

  /** Graceful leave, before the bonds depart: a leader hands over first. Never rejects. */
  async depart(): Promise<void> {}

  async close(): Promise<void> {}
}
