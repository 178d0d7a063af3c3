import type { StoredLog } from '../storage/log-storage.ts';
import { parseEnvelope } from './envelope.ts';
import type { RaftLog } from './log.ts';

/**
 * Fills an empty log with what a store gave back.
 *
 * @throws Error when the store's snapshot and its entries do not fit together.
 */
export function restoreLog(log: RaftLog, { snapshot, base, runs }: StoredLog): void {
  if (!snapshot) {
    if (base > 0) throw new Error(`the store gave up entries up to ${base} and has no snapshot`);
    for (const run of runs) log.append(run.epoch, run.entries);
    return;
  }
  const envelope = parseEnvelope(snapshot.envelope);
  const { index } = envelope;
  if (base > index || snapshot.index !== index)
    throw new Error(
      `the store's snapshot is of ${snapshot.index}, its envelope of ${index}, the base is ${base}`,
    );
  log.install(envelope);
  // The envelope tells already what the entries behind it came to.
  let next = base + 1;
  const behind = [];
  for (const { entries } of runs) {
    if (next > index) break;
    const take = entries.slice(0, index + 1 - next);
    for (const entry of take) behind.push(entry);
    next += take.length;
  }
  if (next <= index) throw new Error(`the store's entries end at ${next - 1}, its snapshot is of ${index}`);
  log.retain(behind);
  next = base + 1;
  for (const { epoch, entries } of runs) {
    const skip = Math.max(0, Math.min(entries.length, index + 1 - next));
    log.append(epoch, skip === 0 ? entries : entries.slice(skip));
    next += entries.length;
  }
}
