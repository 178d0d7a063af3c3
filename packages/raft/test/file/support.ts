import type { LogStorage, LogWrite, StoredLog } from '@mosaik/raft';
import type { LogEntry, PeerId, RaftEpoch } from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';
import { VirtualClock } from '@mosaik/wire/testing';
import { createFileLogStorage } from '../../src/file/file-log-storage.ts';
import type { FakeDisk } from './fake-disk.ts';

export const DIRECTORY = '/log';

export const epoch = (term: number): RaftEpoch => ({
  term,
  leader: 'a1'.repeat(32) as PeerId,
  nonce: BigInt(term) * 7n,
});

export const command = (text: string): LogEntry => ({
  type: 'Command',
  session: 2,
  sequence: 300,
  unacked: 1,
  value: new TextEncoder().encode(text),
});

export const append = (term: number, ...texts: string[]): LogWrite => ({
  append: [{ epoch: epoch(term), entries: texts.map(command) }],
});

export const HARD: LogWrite = { hardState: { incarnation: 5n, term: 1 } };

/** A log on a disk in memory. */
export function logOn(disk: FakeDisk, segmentBytes = 4096, clock: Clock = new VirtualClock()): LogStorage {
  const lock = async () => ({ release: async () => {} });
  return createFileLogStorage(DIRECTORY, { segmentBytes, clock }, { layer: disk, lock });
}

export async function reopened(disk: FakeDisk): Promise<StoredLog | undefined> {
  const storage = logOn(disk);
  const stored = await storage.open();
  await storage.close();
  return stored;
}

/** The commands of a log, as text. */
export function texts(stored: StoredLog | undefined): string[] {
  return (stored?.runs ?? []).flatMap(({ entries }) =>
    entries.map((entry) => ('value' in entry ? new TextDecoder().decode(entry.value) : entry.type)),
  );
}
