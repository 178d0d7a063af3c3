import type { LogEntry, PeerId, RaftEpoch } from '@mosaik/wire';
import type { LogStorage, StoredSnapshot } from '../storage/log-storage.ts';

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

const snapshotAt = (index: number, at: RaftEpoch): StoredSnapshot => ({
  index,
  epoch: at,
  envelope: Uint8Array.of(1, 2, 3),
  chunks: [Uint8Array.of(4, 5), new Uint8Array(), Uint8Array.of(6)],
});

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
      base: 0,
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

  test('a snapshot stands for the entries up to its index, and the log goes on behind it', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    const hardState = { incarnation: 1n, term: 2 };
    await storage.write({ hardState });
    await storage.write({
      append: [
        { epoch: epoch(1), entries: [command('a'), command('b')] },
        { epoch: epoch(2), entries: [command('c'), command('d')] },
      ],
    });
    const snapshot = snapshotAt(3, epoch(2));
    await storage.write({ snapshot, compactTo: 1 });
    await storage.write({ append: [{ epoch: epoch(2), entries: [command('e')] }] });
    await storage.close();
    const again = await reopen();
    equal(await again.open(), {
      hardState,
      snapshot,
      base: 1,
      runs: [
        { epoch: epoch(1), entries: [command('b')] },
        { epoch: epoch(2), entries: [command('c'), command('d'), command('e')] },
      ],
    });
    await again.write({ compactTo: 3, truncateTo: 4 });
    await again.close();
    equal(await (await reopen()).open(), {
      hardState,
      snapshot,
      base: 3,
      runs: [{ epoch: epoch(2), entries: [command('d')] }],
    });
  });

  test('an installed snapshot takes the place of the whole log', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    const hardState = { incarnation: 1n, term: 1 };
    await storage.write({ hardState });
    await storage.write({ append: [{ epoch: epoch(1), entries: [command('a'), command('b')] }] });
    const snapshot = snapshotAt(9, epoch(4));
    await storage.write({
      truncateTo: 0,
      snapshot,
      compactTo: 9,
      append: [{ epoch: epoch(5), entries: [command('j')] }],
    });
    await storage.close();
    equal(await (await reopen()).open(), {
      hardState,
      snapshot,
      base: 9,
      runs: [{ epoch: epoch(5), entries: [command('j')] }],
    });
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
