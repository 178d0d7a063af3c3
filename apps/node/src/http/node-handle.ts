import type { PeerId } from '@mosaik/wire';
import type { NodeStatus, PeerDescription, StateDescription, VotersBody } from './node-status.ts';

export interface ReadOptions {
  readonly consistency: 'weak' | 'strong';
  readonly minIndex?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions {
  /** Only if the key was last written at this index; 0: only if it is absent. */
  readonly expected?: number | undefined;
  /** The client's name for the request: done once, however often it is asked. */
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ReadAnswer {
  readonly entry: { readonly value: Uint8Array; readonly index: number } | undefined;
}

/** `conflict`: the condition did not hold, the key was last written at `index`. */
export interface WriteAnswer {
  readonly type: 'done' | 'conflict';
  readonly index: number;
}

/** What the HTTP API needs of a node. Reads and writes reject with `GroupError`. */
export interface NodeHandle {
  /** Largest value accepted, in bytes. */
  readonly maxValueBytes: number;
  status(): NodeStatus;
  /** Looks at the whole replicated map. */
  state(): Promise<StateDescription>;
  peers(): readonly PeerDescription[];
  /** Calls `listener` when `status()` would say something new; returns how to stop. */
  onChange(listener: () => void): () => void;
  read(key: string, options: ReadOptions): Promise<ReadAnswer>;
  put(key: string, value: Uint8Array, options: WriteOptions): Promise<WriteAnswer>;
  delete(key: string, options: WriteOptions): Promise<WriteAnswer>;
  /** To whoever is most up to date when nobody is named. Resolves when another leads. */
  transferLeadership(to: PeerId | undefined, signal: AbortSignal): Promise<void>;
  voters(): VotersBody;
  addVoter(peer: PeerId, signal: AbortSignal): Promise<void>;
  removeVoter(peer: PeerId, signal: AbortSignal): Promise<void>;
}
