import type { GroupId, LogEntry, PeerId, RaftEpoch } from '@mosaik/wire';
import type { Watch } from '@mosaik/wire/runtime';

/** What must survive together with the log (Raft §5: currentTerm, votedFor). */
export interface HardState {
  /** Identity of what this store remembers; a store that forgot has another one. */
  readonly incarnation: bigint;
  readonly term: number;
  /** The epoch voted for in `term`. */
  readonly vote?: RaftEpoch | undefined;
}

/** Entries of one epoch that follow each other. */
export interface StoredRun {
  readonly epoch: RaftEpoch;
  readonly entries: readonly LogEntry[];
}

/** What the entries up to `index` came to: it stands for them (Raft §7). */
export interface StoredSnapshot {
  readonly index: number;
  /** Of the entry at `index`. */
  readonly epoch: RaftEpoch;
  /** What consensus itself needs of those entries; opaque to a store. */
  readonly envelope: Uint8Array;
  /** The state machine's part, in order. */
  readonly chunks: readonly Uint8Array[];
}

/** One atomic write, in this order: all of it is durable, or none. */
export interface LogWrite {
  readonly hardState?: HardState | undefined;
  /** Entries, snapshot and base go: the log begins anew, at index 1 unless a snapshot follows. */
  readonly reset?: true | undefined;
  /** Entries above this index go. */
  readonly truncateTo?: number | undefined;
  /** Takes the place of the snapshot before it. */
  readonly snapshot?: StoredSnapshot | undefined;
  /**
   * Entries up to this index go: at most the snapshot's. What is appended next follows this index if nothing above it
   * is left (an installed snapshot comes with `reset` and its own index here).
   */
  readonly compactTo?: number | undefined;
  /** These follow the last entry, contiguous. */
  readonly append?: readonly StoredRun[] | undefined;
}

export interface StoredLog {
  readonly hardState: HardState;
  readonly snapshot?: StoredSnapshot | undefined;
  /** Entries up to here were given up; 0 in a log that was never compacted. */
  readonly base: number;
  /** From index `base + 1`, contiguous. */
  readonly runs: readonly StoredRun[];
}

/** Whose log it is. */
export interface LogOwner {
  readonly group: GroupId;
  readonly member: PeerId;
}

/** Where a member keeps its log. One member at a time. */
export interface LogStorage {
  /** Every write is durable when it returns, and none returns a promise: nobody then waits for it, not even a turn. */
  readonly durableAtOnce?: boolean | undefined;
  /**
   * What was written before, or undefined for a new store. A store that outlives the process refuses an owner other than
   * its first one: no member may vote, or acknowledge, with what another one remembers.
   */
  open(owner?: LogOwner): Promise<StoredLog | undefined>;
  /**
   * Applies one write. Returns undefined when it is durable already, else a promise for when it is. Writes take effect
   * in the order of the calls. Entries are the log's own: never changed, valid for ever.
   *
   * A promise that rejects is the end of the member: nothing of that write was acknowledged, and nothing is any more.
   */
  write(write: LogWrite): Promise<void> | undefined;
  /** Why writes take longer than they should, such as a full disk; undefined while all is well. */
  readonly problem?: Watch<string | undefined> | undefined;
  close(): Promise<void>;
}
