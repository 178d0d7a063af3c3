import type { LogEntry, RaftEpoch } from '@mosaik/wire';
import type { HardState, LogStorage, LogWrite, StoredLog, StoredSnapshot } from './log-storage.ts';

/**
 * A log that lives as long as this object: durable at once, forgotten with the process.
 *
 * Opening it again after `close` gives back what was written, as a restart on a kept disk would.
 */
export function memoryLogStorage(): LogStorage {
  let hardState: HardState | undefined;
  let snapshot: StoredSnapshot | undefined;
  let runs: { epoch: RaftEpoch; entries: LogEntry[] }[] = [];
  let base = 0;
  let last = 0;

  const truncateTo = (index: number) => {
    while (last > Math.max(index, base)) {
      const run = runs.at(-1);
      if (!run) break;
      const excess = Math.min(run.entries.length, last - index);
      run.entries.length -= excess;
      last -= excess;
      if (run.entries.length === 0) runs.pop();
    }
  };

  const compactTo = (index: number) => {
    let excess = Math.min(index, last) - base;
    while (excess > 0) {
      const run = runs[0];
      if (!run) break;
      excess -= run.entries.splice(0, excess).length;
      if (run.entries.length === 0) runs.shift();
    }
    base = Math.max(base, index);
    last = Math.max(last, base);
  };

  return {
    durableAtOnce: true,
    async open(): Promise<StoredLog | undefined> {
      if (!hardState) return undefined;
      return {
        hardState,
        ...(snapshot ? { snapshot } : {}),
        base,
        runs: runs.map((run) => ({ epoch: run.epoch, entries: run.entries.slice() })),
      };
    },
    write(write: LogWrite): undefined {
      if (write.hardState) hardState = write.hardState;
      if (write.reset) {
        snapshot = undefined;
        runs = [];
        base = 0;
        last = 0;
      }
      if (write.truncateTo !== undefined) truncateTo(write.truncateTo);
      if (write.snapshot) snapshot = write.snapshot;
      if (write.compactTo !== undefined) compactTo(write.compactTo);
      for (const { epoch, entries } of write.append ?? []) {
        let run = runs.at(-1);
        if (!run || run.epoch.nonce !== epoch.nonce || run.epoch.term !== epoch.term) {
          run = { epoch, entries: [] };
          runs = [...runs, run];
        }
        for (const entry of entries) run.entries.push(entry);
        last += entries.length;
      }
    },
    async close() {},
  };
}
