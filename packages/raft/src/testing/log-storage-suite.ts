import type { LogEntry, PeerId, RaftEpoch } from '@mosaik/wire';
import type { LogStorage } from '../storage/log-storage.ts';

/** The test functions of the caller's framework: `test` declares one, `equal` compares deeply and throws. */
export interface SuiteHarness {
  test(name: string, run: () => Promise<void>): void;
  equal(actual: unknown, expected: unknown): void;
  /** A new, empty store; `reopen` gives the same one after a restart. */
  create(): Promise<{ storage: LogStorage; reopen(): Promise<LogStorage> }>;
}

const LEADER = 'a1'.repeat(32) as PeerId;
const epoch = (term: number): RaftEpoch => ({ term, leader: LEADER, nonce: BigInt(term) * 7n });
const command = (text: string): LogEntry => ({ type: 'Command', value: new TextEncoder().encode(text) });

/** What every `LogStorage` must do. */
export function runLogStorageSuite({ test, equal, create }: SuiteHarness): void {
  test('a new store opens empty', async () => {
    const { storage } = await create();
    equal(await storage.open(), undefined);
  });

  test('gives back what was written, grouped by epoch, after a restart', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    const hardState = { incarnation: 5n, term: 2, vote: epoch(2) };
    await storage.write({ hardState });
    await storage.write({ append: [{ epoch: epoch(1), entries: [command('a'), command('b')] }] });
    await storage.write({ append: [{ epoch: epoch(2), entries: [command('c')] }] });
    await storage.close();
    const again = await reopen();
    equal(await again.open(), {
      hardState,
      runs: [
        { epoch: epoch(1), entries: [command('a'), command('b')] },
        { epoch: epoch(2), entries: [command('c')] },
      ],
    });
  });

  test('truncates before it appends, across epochs', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    await storage.write({ hardState: { incarnation: 1n, term: 1 } });
    await storage.write({
      append: [
        { epoch: epoch(1), entries: [command('a'), command('b')] },
        { epoch: epoch(2), entries: [command('c')] },
      ],
    });
    await storage.write({ truncateTo: 1, append: [{ epoch: epoch(3), entries: [command('d')] }] });
    await storage.close();
    const stored = await (await reopen()).open();
    equal(stored?.runs, [
      { epoch: epoch(1), entries: [command('a')] },
      { epoch: epoch(3), entries: [command('d')] },
    ]);
  });

  test('keeps the newest hard state', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    await storage.write({ hardState: { incarnation: 1n, term: 1 } });
    await storage.write({ hardState: { incarnation: 1n, term: 4, vote: epoch(4) } });
    await storage.close();
    equal((await (await reopen()).open())?.hardState, { incarnation: 1n, term: 4, vote: epoch(4) });
  });
}
