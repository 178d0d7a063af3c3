import type { ConsensusConfig, PeerId } from '@mosaik/wire';

/** What a core is started with. */
export interface CoreConfig {
  readonly localId: PeerId;
  readonly consensus: ConsensusConfig;
  /** Never leads, never counts. */
  readonly observer: boolean;
  /** Counts, has no state machine, and leads only until somebody else can. */
  readonly witness?: boolean | undefined;
  /** Multiplies the election timeout: 1, or a reluctant member's factor. */
  readonly reluctance: number;
  /** The machine's state is transferred in a way of the group's own. */
  readonly ownStateSync?: boolean | undefined;
  readonly limits: CoreLimits;
  /** The store is durable when a write returns: `persisted` need not be told. */
  readonly durableAtOnce?: boolean | undefined;
}

/** Bounds of everything that a core keeps or sends. */
export interface CoreLimits {
  /** Commands per append message, unless one run alone is larger. */
  readonly maxAppendBytes: number;
  /** Few enough that followers work on the first of a large batch, and answer, while the rest is still being sent. */
  readonly maxAppendEntries: number;
  /** Appends, and bytes, on the way to one follower. */
  readonly maxInflightAppends: number;
  readonly maxInflightBytes: number;
  /** Entries, and bytes, that a leader has appended and not committed. */
  readonly maxUncommittedEntries: number;
  readonly maxUncommittedBytes: number;
  /** Bytes of commands forwarded and not answered. */
  readonly maxForwardBytes: number;
  /** Reads that wait. */
  readonly maxReads: number;
  /** Bonded peers. */
  readonly maxPeers: number;
  /** Most entries, and bytes of a snapshot, that one request of a member that catches up asks for. */
  readonly syncRangeEntries: number;
  readonly syncChunkBytes: number;
  /** Memory of fetched entries that the machine has not applied; beyond it no more are asked for. */
  readonly syncUnappliedBytes: number;
  /** Entries that a follower may be behind and still be brought level by plain appends. */
  readonly syncGapEntries: number;
  /** Memory of entries that a leader keeps for members that catch up, however old its snapshot makes them. */
  readonly syncRetainBytes: number;
  /** Memory of entries behind a snapshot that are kept, for followers that are a little late. */
  readonly retainBytes: number;
  /** A witness: memory of entries that some data voter may lack, and as many as are worth a write to be given up. */
  readonly witnessRetentionBytes: number;
  readonly witnessPruneBytes: number;
  /** Dynamic mode: memory of entries that are kept back to the last two forced epochs. */
  readonly revertHorizonBytes: number;
}

/** Most members of a set, learners included: as many as a message may name. */
export const MAX_VIEW = 64;

export const DEFAULT_LIMITS: CoreLimits = Object.freeze({
  maxAppendBytes: 256 * 1024,
  maxAppendEntries: 128,
  maxInflightAppends: 256,
  maxInflightBytes: 4 * 1024 * 1024,
  maxUncommittedEntries: 1 << 17,
  maxUncommittedBytes: 64 * 1024 * 1024,
  maxForwardBytes: 32 * 1024 * 1024,
  maxReads: 1 << 16,
  maxPeers: 64,
  syncRangeEntries: 4096,
  syncChunkBytes: 256 * 1024,
  syncUnappliedBytes: 16 * 1024 * 1024,
  syncGapEntries: 16_384,
  syncRetainBytes: 64 * 1024 * 1024,
  retainBytes: 8 * 1024 * 1024,
  witnessRetentionBytes: 64 * 1024 * 1024,
  witnessPruneBytes: 8 * 1024 * 1024,
  revertHorizonBytes: 32 * 1024 * 1024,
});
