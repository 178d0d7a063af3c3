import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogStorage } from '@mosaik/raft';
import { fileLogStorage } from '@mosaik/raft/file';
import type { LogEntry, PeerId, RaftEpoch } from '@mosaik/wire';
import { type Bench, type BenchContext, median } from '../lib/bench.ts';

const ROUNDS = 3;
const BATCHES: readonly { size: number; batches: number }[] = [
  { size: 1, batches: 1500 },
  { size: 16, batches: 1500 },
  { size: 256, batches: 1500 },
];
const epoch: RaftEpoch = { term: 1, leader: 'a1'.repeat(32) as PeerId, nonce: 1n };
const entry: LogEntry = {
  type: 'Command',
  session: 1,
  sequence: 1,
  unacked: 0,
  value: new Uint8Array(100).fill(7),
};

/** Entries per second when each write is waited for, then when the next ones are given meanwhile. */
async function append(storage: LogStorage, size: number, batches: number, ahead: number): Promise<number> {
  const entries = Array.from({ length: size }, () => entry);
  const startedMs = performance.now();
  const pending: (Promise<void> | undefined)[] = [];
  for (let i = 0; i < batches; i += 1) {
    pending.push(storage.write({ append: [{ epoch, entries }] }));
    if (pending.length > ahead) await pending.shift();
  }
  await Promise.all(pending);
  return (size * batches * 1000) / (performance.now() - startedMs);
}

async function run({ report }: BenchContext): Promise<void> {
  for (const { size, batches } of BATCHES) {
    const rates: Record<'alone' | 'joined' | 'read', number[]> = { alone: [], joined: [], read: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      const directory = await mkdtemp(join(tmpdir(), 'mosaik-bench-'));
      const storage = fileLogStorage(directory);
      await storage.open();
      await storage.write({ hardState: { incarnation: 1n, term: 1 } });
      rates.alone.push(await append(storage, size, batches, 0));
      rates.joined.push(await append(storage, size, batches, 8));
      await storage.close();
      const again = fileLogStorage(directory);
      const startedMs = performance.now();
      const stored = await again.open();
      const entries = stored?.runs.reduce((sum, run) => sum + run.entries.length, 0) ?? 0;
      rates.read.push((entries * 1000) / (performance.now() - startedMs));
      await again.close();
      await rm(directory, { recursive: true });
    }
    const name = `durable append, batch ${size}`;
    report({ metric: `${name}, one write at a time`, value: median(rates.alone), unit: '/s' });
    report({ metric: `${name}, 8 writes in flight`, value: median(rates.joined), unit: '/s' });
    report({ metric: `read, batch ${size}`, value: median(rates.read), unit: '/s' });
  }
}

/** Entries of 100 bytes to and from files of one directory, one fdatasync per batch. */
export const bench: Bench = { name: 'storage', roles: {}, run };
