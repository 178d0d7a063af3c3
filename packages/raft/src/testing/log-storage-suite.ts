import type { LogEntry, PeerId, RaftEpoch } from '@mosaik/wire';
import type { LogStorage, StoredLog, StoredSnapshot } from '../storage/log-storage.ts';

/** The test functions of the caller's framework: `test` declares one, `equal` compares deeply and throws. */
export interface SuiteHarness {
  test(name: string, run: () => Promise<void>): void;
  equal(actual: unknown, expected: unknown): void;
  /** A new, empty store; `reopen` gives the same one after a restart. */
  create(): Promise<{ storage: LogStorage; reopen(): Promise<LogStorage> }>;
}

const LEADER = 'a1'.repeat(32) as PeerId;
const epoch = (term: number): RaftEpoch => ({ term, leader: LEADER, nonce: BigInt(term) * 7n });
const command = (text: string): LogEntry => ({
  type: 'Command',
  session: 2,
  sequence: 300,
  unacked: 1,
  value: new TextEncoder().encode(text),
});

const snapshotAt = (index: number, at: RaftEpoch): StoredSnapshot => ({
  index,
  epoch: at,
  envelope: Uint8Array.of(1, 2, 3),
  chunks: [Uint8Array.of(4, 5), new Uint8Array(), Uint8Array.of(6)],
});

/** What a store holds, and closes it again. */
async function contents(storage: LogStorage): Promise<StoredLog | undefined> {
  const stored = await storage.open();
  await storage.close();
  return stored;
}

/** What every `LogStorage` must do. */
export function runLogStorageSuite({ test, equal, create }: SuiteHarness): void {
  test('a new store opens empty', async () => {
    const { storage } = await create();
    equal(await contents(storage), undefined);
  });

  test('gives back what was written, grouped by epoch, after a restart', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    const hardState = { incarnation: 5n, term: 2, vote: epoch(2) };
    await storage.write({ hardState });
    await storage.write({ append: [{ epoch: epoch(1), entries: [command('a'), command('b')] }] });
    await storage.write({ append: [{ epoch: epoch(2), entries: [command('c')] }] });
    await storage.close();
    equal(await contents(await reopen()), {
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
    const stored = await contents(await reopen());
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
    equal(await contents(await reopen()), {
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
    equal(await contents(await reopen()), {
      hardState,
      snapshot,
      base: 9,
      runs: [{ epoch: epoch(5), entries: [command('j')] }],
    });
  });

  test('a reset leaves nothing but the hard state, and the log begins anew', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    const hardState = { incarnation: 1n, term: 1 };
    await storage.write({ hardState });
    await storage.write({ append: [{ epoch: epoch(1), entries: [command('a'), command('b')] }] });
    await storage.write({ snapshot: snapshotAt(2, epoch(1)), compactTo: 1 });
    await storage.write({ reset: true, append: [{ epoch: epoch(2), entries: [command('c')] }] });
    await storage.close();
    const again = await reopen();
    equal(await again.open(), {
      hardState,
      base: 0,
      runs: [{ epoch: epoch(2), entries: [command('c')] }],
    });
    const snapshot = snapshotAt(9, epoch(4));
    await again.write({
      reset: true,
      snapshot,
      compactTo: 9,
      append: [{ epoch: epoch(5), entries: [command('j')] }],
    });
    await again.close();
    equal(await contents(await reopen()), {
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
    equal((await contents(await reopen()))?.hardState, { incarnation: 1n, term: 4, vote: epoch(4) });
  });

  test('writes that were not waited for take effect in the order of the calls', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    const hardState = { incarnation: 1n, term: 1 };
    const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
    await Promise.all([
      storage.write({ hardState }),
      ...texts.map((text) => storage.write({ append: [{ epoch: epoch(1), entries: [command(text)] }] })),
      storage.write({ truncateTo: 90 }),
      storage.write({ append: [{ epoch: epoch(2), entries: [command('after')] }] }),
    ]);
    await storage.close();
    equal(await contents(await reopen()), {
      hardState,
      base: 0,
      runs: [
        { epoch: epoch(1), entries: texts.slice(0, 90).map(command) },
        { epoch: epoch(2), entries: [command('after')] },
      ],
    });
  });

  test('keeps every kind of entry, empty and large commands, bit for bit', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    const members = [{ peer: LEADER, incarnation: 2n ** 64n - 1n }];
    const large = Uint8Array.from({ length: 200_000 }, (_, i) => (i * i) >> 3);
    const entries: LogEntry[] = [
      { type: 'Opening', forced: true, members, learners: [] },
      { type: 'View', members: [], learners: [LEADER] },
      { type: 'Session', origin: LEADER, incarnation: 2n ** 64n - 1n },
      { type: 'CommandMore', session: 3, sequence: 2 ** 40, unacked: 7, value: new Uint8Array() },
      { type: 'Command', session: 0, sequence: 0, unacked: 0, value: large },
      {
        type: 'Keyed',
        session: 3,
        sequence: 2,
        unacked: 2,
        key: LEADER as never,
        value: new Uint8Array(5000),
      },
    ];
    await storage.write({ hardState: { incarnation: 2n ** 64n - 1n, term: Number.MAX_SAFE_INTEGER } });
    await storage.write({ append: [{ epoch: epoch(1), entries }] });
    await storage.close();
    equal((await contents(await reopen()))?.runs, [{ epoch: epoch(1), entries }]);
  });

  test('a log that was truncated to nothing goes on from there', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    await storage.write({ hardState: { incarnation: 1n, term: 1 } });
    await storage.write({ append: [{ epoch: epoch(1), entries: [command('a'), command('b')] }] });
    await storage.write({ truncateTo: 0 });
    await storage.close();
    const again = await reopen();
    equal((await again.open())?.runs, []);
    await again.write({ append: [{ epoch: epoch(2), entries: [command('c')] }] });
    await again.close();
    equal((await contents(await reopen()))?.runs, [{ epoch: epoch(2), entries: [command('c')] }]);
  });

  test('opens, closes and opens again many times without a write', async () => {
    const { storage, reopen } = await create();
    await storage.open();
    const hardState = { incarnation: 1n, term: 1 };
    await storage.write({ hardState });
    await storage.close();
    for (let i = 0; i < 5; i += 1) {
      const again = await reopen();
      equal(await again.open(), { hardState, base: 0, runs: [] });
      await again.close();
    }
  });
}
