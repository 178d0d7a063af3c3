import { derive, type PeerId, safeU64, UniqueId } from '@mosaik/wire';

/**
 * How a member that is far behind gets what it lacks. Part of the group's identity by its signature, so all members do
 * the same. `logReplay()` and `snapshotSync()` are the built-in ones; a machine without `stateSync` compacts its log if
 * it has `snapshot` and `restore`, under the signature of `logReplay()`.
 *
 * With `open` the machine's part of a snapshot travels in a way of the group's own. What consensus needs of it (set,
 * epochs, sessions) is not in its reach, and what it delivers is checked against the digest that the members promised:
 * when it is wrong, or does not come, the snapshot is fetched in the built-in way.
 */
export interface StateSync {
  readonly signature: UniqueId;
  /** The log is never compacted: whoever is behind replays it. */
  readonly keepsLog?: boolean | undefined;
  /** Called once per member. */
  open?(host: StateSyncHost): StateTransfer;
}

/** A snapshot of the machine, as the members that took it at the same index agree on. */
export interface StateOffer {
  readonly index: number;
  /** Names it. 32 bytes. */
  readonly digest: Uint8Array;
}

/** What a member lends its transfer. */
export interface StateSyncHost {
  /** To the transfer of a bonded member: at most 256 KiB. False when it was not sent. */
  send(peer: PeerId, payload: Uint8Array): boolean;
  /** The machine's part of the snapshot that this member holds: read it, do not change it. */
  held(): (StateOffer & { readonly chunks: readonly Uint8Array[] }) | undefined;
  /** Ends a `fetch`: with the machine's part, in order, or undefined when it can not be had. */
  deliver(offer: StateOffer, chunks: readonly Uint8Array[] | undefined): void;
}

/** One member's part in transferring states, both giving and taking. A throw ends no more than the attempt. */
export interface StateTransfer {
  /** From the transfer of a bonded member; the bytes are the transfer's. */
  handleMessage(from: PeerId, payload: Uint8Array): void;
  /** The state of this snapshot is needed here; these members hold it. A former call is void. */
  fetch(offer: StateOffer, sources: readonly PeerId[]): void;
  close(): void;
}

/** Whoever is behind replays the log, which is kept whole. */
export function logReplay(): StateSync {
  return { signature: LOG_REPLAY_SIGNATURE, keepsLog: true };
}

/** Whoever is too far behind gets a snapshot, in chunks from several members; the log is compacted. */
export function snapshotSync(): StateSync {
  return { signature: UniqueId.from('mosaik/state-sync/snapshot/1') };
}

/** Replay of the log, in batches of so many entries: part of the identity of groups since the first version. */
export const LOG_REPLAY_SIGNATURE: UniqueId = derive(
  UniqueId.from('mosaik/state-sync/log-replay/1'),
  safeU64.encode(256),
);
