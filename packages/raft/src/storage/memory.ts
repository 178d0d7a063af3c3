import type { LogEntry, RaftEpoch } from '@mosaik/wire';
import type { HardState, LogStorage, LogWrite, StoredLog } from './log-storage.ts';

/**
 * A log that lives as long as this object: durable at once, forgotten with the process.
 *
 * Opening it again after `close` gives back what was written, as a restart on a kept disk would.
 */
export function memoryLogStorage(): LogStorage {
  let hardState: HardState | undefined;
  let runs: { epoch: RaftEpoch; entries: LogEntry[] }[] = [];
  let length = 0;

  const truncateTo = (index: number) => {
    while (length > index) {
      const run = runs.at(-1);
      if (!run) break;
      const excess = Math.min(run.entries.length, length - index);
      run.entries.length -= excess;
      length -= excess;
      if (run.entries.length === 0) runs.pop();
    }
  };

  return {
    async open(): Promise<StoredLog | undefined> {
      if (!hardState) return undefined;
      return {
        hardState,
        runs: runs.map((run) => ({ epoch: run.epoch, entries: run.entries.slice() })),
      };
    },
    write(write: LogWrite): undefined {
      if (write.hardState) hardState = write.hardState;
      if (write.truncateTo !== undefined) truncateTo(write.truncateTo);
      for (const { epoch, entries } of write.append ?? []) {
        let run = runs.at(-1);
        if (!run || run.epoch.nonce !== epoch.nonce || run.epoch.term !== epoch.term) {
          run = { epoch, entries: [] };
          runs = [...runs, run];
        }
        for (const entry of entries) run.entries.push(entry);
        length += entries.length;
      }
    },
    async close() {},
  };
}
