import type { PeerId, RaftBody, RaftEpoch, RaftMessage, SnapshotOffer } from '@mosaik/wire';
import type { Lane } from '../components.ts';
import type { LogWrite, StoredSnapshot } from '../storage/log-storage.ts';
import type { EntryRun } from './log.ts';

/** Why proposals, reads or requests were turned away: nothing of them was appended. */
export type RefusalReason = Extract<RaftBody, { type: 'Refused' }>['reason']['type'];

/**
 * What the driver has to do, in this order. Whatever must wait for durability is not among them yet: the core holds it
 * back until `persisted` says so.
 */
export type Effect =
  /** Durable all together or not at all, then `persisted` with `seq`. */
  | { type: 'persist'; seq: number; write: LogWrite }
  /** Several sends may share one message object: encode it once. */
  | { type: 'send'; to: PeerId; message: RaftMessage; lane: Lane }
  /** The machine's part of this snapshot is wanted, as `state` with its digest. A later one makes it void. */
  | { type: 'fetch-state'; offer: SnapshotOffer; sources: readonly PeerId[] }
  /** The applied state becomes this one, without a snapshot that before the first entry; what was applied is gone. */
  | { type: 'restore'; snapshot: StoredSnapshot | undefined; sessions: Uint8Array }
  /** Entries up to here are committed: apply them. */
  | { type: 'apply'; to: number }
  /**
   * The side that is followed now has other entries above `to`: what was applied of them is to be undone. `lost` are the
   * entries from `from` on, applied or not. Not `complete`: there were more of them than is known here.
   */
  | { type: 'revert'; to: number; from: number; lost: readonly EntryRun[]; complete: boolean }
  /** Proposals `first` … `first + count − 1` stand in the leader's log one after the other from `index`. */
  | { type: 'accepted'; first: number; count: number; epoch: RaftEpoch; index: number }
  | { type: 'refused'; first: number; count: number; reason: RefusalReason }
  /** Forwarded and never answered. */
  | { type: 'uncertain'; first: number; count: number }
  /** Reads may be answered from what is applied now. */
  | { type: 'read-ready'; first: number; count: number }
  | { type: 'read-refused'; first: number; count: number; reason: RefusalReason }
  /** What was requested happened. */
  | { type: 'request-done'; request: number }
  | { type: 'request-refused'; request: number; reason: RefusalReason }
  /** The leader did not answer. */
  | { type: 'request-unknown'; request: number }
  /** Leadership was handed over, or there was none to hand over. */
  | { type: 'handed-over' }
  /** `progress`: nothing but how far the log goes and is committed. */
  | { type: 'state-changed'; progress: boolean }
  /** End another turn soon: something is due unless the answers of this one bring new work to carry it. */
  | { type: 'turn-again' }
  | { type: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; fields: object; text: string }
  | { type: 'count'; name: string };
