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
  /** Bytes of entries kept behind a snapshot for members that are a little late. Default 8 MiB, from 0. */
  readonly retainBytes?: number | undefined;
  /**
   * Dynamic mode: bytes of entries kept back to the last two forced epochs, so that what is rolled back can be reported.
   * Default 32 MiB, from 0.
   */
  readonly revertHorizonBytes?: number | undefined;
}

const LEAST: Required<{ [K in keyof CompactionOptions]: number }> = {
  snapshotAfterBytes: 4096,
  snapshotAfterEntries: 16,
  retainBytes: 0,
  revertHorizonBytes: 0,
};

export type Compaction = { readonly [K in keyof CompactionOptions]-?: number };

/** @throws RangeError that names the option. */
export function compaction(options: CompactionOptions = {}): Compaction {
  const chosen = {
    snapshotAfterBytes: options.snapshotAfterBytes ?? 16 * 1024 * 1024,
    snapshotAfterEntries: options.snapshotAfterEntries ?? 131_072,
    retainBytes: options.retainBytes ?? DEFAULT_LIMITS.retainBytes,
    revertHorizonBytes: options.revertHorizonBytes ?? DEFAULT_LIMITS.revertHorizonBytes,
  };
  for (const [name, value] of Object.entries(chosen)) {
    const least = LEAST[name as keyof Compaction];
    if (!Number.isSafeInteger(value) || value < least)
      throw new RangeError(`${name} must be an integer of at least ${least}, got ${value}`);
  }
  return Object.freeze(chosen);
}
