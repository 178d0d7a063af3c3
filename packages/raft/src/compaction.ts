import { DEFAULT_LIMITS } from './core/config.ts';

/** When a member takes a snapshot of its machine and gives up the log behind it. Each member's own matter. */
export interface CompactionOptions {
  /**
   * Bytes of entries since the last snapshot after which the next is due, but never before they are as many as that
   * snapshot's own. Default 16 MiB, at least 4 KiB. Less costs more writing, more costs memory and time to restart.
   * Members with the same values take their snapshots at the same indexes, and can serve one together.
   */
  readonly snapshotAfterBytes?: number | undefined;
  /** Entries since the last snapshot after which the next is due. Default 131 072, at least 16. */
  readonly snapshotAfterEntries?: number | undefined;
  /**
   * Bytes of memory for entries kept behind a snapshot for members that are a little late; an entry takes about 200 bytes
   * more than its command. Default 8 MiB, from 0.
   */
  readonly retainBytes?: number | undefined;
  /**
   * Dynamic mode: bytes of memory for entries kept back to the last two forced epochs, so that what is rolled back can be
   * reported. Default 32 MiB, from 0.
   */
  readonly revertHorizonBytes?: number | undefined;
  /**
   * A witness: bytes of memory for entries that it keeps for data voters that do not have them yet; those that all have go anyway.
   * Default 64 MiB, at least 64 KiB. Of more it keeps only what they came to, and `status.problem` says `degraded`: if
   * the data voters that have them are lost before the others caught up, the group stands still until one is back, so
   * little is little time for a data voter to be away. Much is memory, disk, and time to restart.
   */
  readonly witnessRetentionBytes?: number | undefined;
}

const LEAST: Required<{ [K in keyof CompactionOptions]: number }> = {
  snapshotAfterBytes: 4096,
  snapshotAfterEntries: 16,
  retainBytes: 0,
  revertHorizonBytes: 0,
  witnessRetentionBytes: 64 * 1024,
};

export type Compaction = { readonly [K in keyof CompactionOptions]-?: number };

/** @throws RangeError that names the option. */
export function compaction(options: CompactionOptions = {}): Compaction {
  const chosen = {
    snapshotAfterBytes: options.snapshotAfterBytes ?? 16 * 1024 * 1024,
    snapshotAfterEntries: options.snapshotAfterEntries ?? 131_072,
    retainBytes: options.retainBytes ?? DEFAULT_LIMITS.retainBytes,
    revertHorizonBytes: options.revertHorizonBytes ?? DEFAULT_LIMITS.revertHorizonBytes,
    witnessRetentionBytes: options.witnessRetentionBytes ?? DEFAULT_LIMITS.witnessRetentionBytes,
  };
  for (const [name, value] of Object.entries(chosen)) {
    const least = LEAST[name as keyof Compaction];
    if (!Number.isSafeInteger(value) || value < least)
      throw new RangeError(`${name} must be an integer of at least ${least}, got ${value}`);
  }
  return Object.freeze(chosen);
}
