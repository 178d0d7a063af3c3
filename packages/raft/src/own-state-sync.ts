import { MAX_SYNC_CHUNK_BYTES, type PeerId, RaftMessage, type SnapshotOffer } from '@mosaik/wire';
import type { RaftComponents } from './components.ts';
import type { Input } from './core/input.ts';
import type { RaftCore } from './core/raft-core.ts';
import type { StateSync, StateSyncHost, StateTransfer } from './state-sync.ts';

export interface OwnStateSyncInit {
  readonly core: RaftCore;
  readonly components: RaftComponents;
  readonly input: (input: Input) => void;
}

/** A group's own way to transfer state, between the core and the code that came with the machine. */
export class OwnStateSync {
  readonly #init: OwnStateSyncInit;
  readonly #transfer: StateTransfer;
  #closed = false;

  /** Undefined where states are transferred in the built-in way. */
  static open(sync: StateSync | undefined, init: OwnStateSyncInit): OwnStateSync | undefined {
    return sync?.open ? new OwnStateSync((host) => sync.open?.(host) as StateTransfer, init) : undefined;
  }

  private constructor(open: (host: StateSyncHost) => StateTransfer, init: OwnStateSyncInit) {
    this.#init = init;
    this.#transfer = open({
      send: (peer, payload) => this.#send(peer, payload),
      held: () => this.#init.core.state.snapshot,
      deliver: ({ digest }, chunks) => {
        if (!this.#closed) this.#init.input({ type: 'state', digest, chunks });
      },
    });
  }

  handleMessage(from: PeerId, payload: Uint8Array): void {
    if (!this.#init.core.state.peers.has(from)) return;
    this.#guard(() => this.#transfer.handleMessage(from, payload));
  }

  fetch(offer: SnapshotOffer, sources: readonly PeerId[]): void {
    const failed = !this.#guard(() => this.#transfer.fetch(offer, sources));
    if (failed) this.#init.input({ type: 'state', digest: offer.digest, chunks: undefined });
  }

  close(): void {
    this.#closed = true;
    this.#guard(() => this.#transfer.close());
  }

  #send(peer: PeerId, payload: Uint8Array): boolean {
    if (payload.length > MAX_SYNC_CHUNK_BYTES)
      throw new RangeError(`a payload of ${payload.length} bytes above ${MAX_SYNC_CHUNK_BYTES}`);
    if (this.#closed) return false;
    const { core, components } = this.#init;
    const body = { type: 'StateSync', payload } as const;
    return components.send(peer, RaftMessage.encode({ incarnation: core.state.incarnation, body }), 'bulk');
  }

  /** Code of the application: what it throws must not end more than its attempt. */
  #guard(run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      this.#init.components.logger.warn({ error }, 'the state transfer of the application failed');
      return false;
    }
  }
}
