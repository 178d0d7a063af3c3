import type { Codec, GroupId, NetworkId, UniqueId } from '@mosaik/wire';
import type { StateSync } from './state-sync.ts';

/** What `apply` may know beside the command: the same on every member. */
export interface ApplyContext {
  /** Position of the command in the log, from 1. */
  readonly index: number;
  /** Term of the leader that appended it. */
  readonly term: number;
  readonly groupId: GroupId;
  readonly networkId: NetworkId;
}

/**
 * What a group replicates: commands are applied in log order on every member, queries read what was applied.
 *
 * `apply` must be deterministic: it sees nothing that differs between members, and must not throw (a throw stops the
 * member, because every other member would throw at the same command). Byte fields of decoded commands are views into
 * the log: read, copy, never change them.
 */
export interface StateMachine<C, Q, R, O = void> {
  /** Part of the group's identity: members with another signature are another group. */
  readonly signature: UniqueId;
  readonly command: Codec<C>;
  readonly output?: Codec<O> | undefined;
  apply(command: C, ctx: ApplyContext): O;
  /** Instead of `apply`, for many at once; must give what `apply` in a loop would. */
  applyBatch?(commands: readonly C[], ctxs: readonly ApplyContext[]): O[];
  /**
   * Reads. Queries never cross the wire — a strong one asks the leader for an index and is answered here — so they need
   * no codec; `result` is for those who pass answers on.
   */
  query(query: Q): R;
  readonly result?: Codec<R> | undefined;
  /** How members that are far behind get the state, the same at every call. Default: see `StateSync`. */
  stateSync?(): StateSync;
  /**
   * The whole state, equal bytes on members that applied the same commands (and were restored from such bytes). Together
   * with `restore` it lets the log be compacted. Parts may be produced while later commands are applied already: what
   * they hold must be the state as it was at this call.
   */
  snapshot?(): Uint8Array | Iterable<Uint8Array>;
  /** Becomes what `snapshot` gave, its parts in one: read it, copy from it, do not change or keep it. */
  restore?(bytes: Uint8Array): void;
  /** Back to the state before the first command. */
  reset?(): void;
}
