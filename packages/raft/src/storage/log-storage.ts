import type { LogEntry, RaftEpoch } from '@mosaik/wire';

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

/** One atomic write: all of it is durable, or none. */
export interface LogWrite {
  readonly hardState?: HardState | undefined;
  /** Entries above this index go first. */
  readonly truncateTo?: number | undefined;
  /** Then these follow the last one, contiguous. */
  readonly append?: readonly StoredRun[] | undefined;
}

export interface StoredLog {
  readonly hardState: HardState;
  /** From index 1, contiguous. */
  readonly runs: readonly StoredRun[];
}

/** Where a member keeps its log. One member at a time. */
export interface LogStorage {
  /** What was written before, or undefined for a new store. */
  open(): Promise<StoredLog | undefined>;
  /**
   * Applies one write. Returns undefined when it is durable already, else a promise for when it is. Writes take effect
   * in the order of the calls. Entries are the log's own: never changed, valid for ever.
   */
  write(write: LogWrite): Promise<void> | undefined;
  close(): Promise<void>;
}
