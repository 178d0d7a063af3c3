import { compaction } from './compaction.ts';
import { DEFAULT_LIMITS } from './core/config.ts';
import { RaftCore } from './core/raft-core.ts';
import type { RaftNodeInit } from './node-init.ts';
import type { LogStorage } from './storage/log-storage.ts';

/** Opens the store and makes the core of the member whose log is in it. @throws RangeError for a bad `compaction`. */
export async function openCore<C, Q, R, O>(
  init: RaftNodeInit<C, Q, R, O>,
  storage: LogStorage,
): Promise<RaftCore> {
  const { retainBytes, revertHorizonBytes, witnessRetentionBytes } = compaction(init.compaction);
  const stored = await storage.open({ group: init.groupId, member: init.localId });
  const { components, preference } = init;
  return new RaftCore({
    config: {
      localId: init.localId,
      consensus: init.config,
      observer: preference === 'observer',
      witness: preference === 'witness',
      reluctance: typeof preference === 'object' ? preference.reluctant : preference === 'witness' ? 2 : 1,
      limits: {
        ...DEFAULT_LIMITS,
        retainBytes,
        revertHorizonBytes,
        witnessRetentionBytes,
        witnessPruneBytes: Math.min(DEFAULT_LIMITS.witnessPruneBytes, witnessRetentionBytes / 8),
      },
      durableAtOnce: storage.durableAtOnce,
      ownStateSync: init.machine.stateSync?.().open !== undefined,
    },
    rng: components.rng,
    stored,
    nowMs: components.clock.nowMs(),
  });
}
