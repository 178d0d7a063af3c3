import { VirtualClock } from '@mosaik/wire/testing';
import { describe, expect, test } from 'vitest';
import { FakeDisk, type Operation } from './fake-disk.ts';
import { append, DIRECTORY, epoch, HARD, logOn, reopened, texts } from './support.ts';

const FIRST = `${DIRECTORY}/00000001.log`;

async function opened() {
  const disk = new FakeDisk();
  const clock = new VirtualClock();
  const storage = logOn(disk, 4096, clock);
  await storage.open();
  await storage.write({ ...HARD, ...append(1, 'kept') });
  return { disk, clock, storage };
}

const settled = (promise: Promise<void> | undefined): { state: string; error?: unknown } => {
  const outcome: { state: string; error?: unknown } = { state: 'pending' };
  promise?.then(
    () => {
      outcome.state = 'durable';
    },
    (error: unknown) => {
      outcome.state = 'rejected';
      outcome.error = error;
    },
  );
  return outcome;
};

describe('a full disk', () => {
  test.each([
    ['takes nothing of a write', 'write', 0],
    ['takes a part of a write', 'write', 40],
    ['says so only when the write is synced', 'sync', 0],
  ] as const)('that %s stops acknowledging and goes on when there is room', async (_name, type, bytes) => {
    const { disk, clock, storage } = await opened();
    let full = true;
    disk.onOperation = (operation) =>
      full && operation.type === type ? { code: 'ENOSPC', bytes } : undefined;
    const outcomes = [settled(storage.write(append(1, 'a'))), settled(storage.write(append(1, 'b')))];
    await clock.advance(5000);
    expect(outcomes.map(({ state }) => state)).toEqual(['pending', 'pending']);
    expect(storage.problem?.value).toMatch(/appending a batch in \/log: ENOSPC/);
    // A crash now finds what was acknowledged.
    const crashed = disk.clone();
    expect(texts(await reopened(crashed))).toEqual(['kept']);
    outcomes.push(settled(storage.write(append(1, 'c'))));
    full = false;
    await clock.advance(1000);
    expect(outcomes.map(({ state }) => state)).toEqual(['durable', 'durable', 'durable']);
    expect(storage.problem?.value).toBeUndefined();
    await storage.close();
    expect(texts(await reopened(disk))).toEqual(['kept', 'a', 'b', 'c']);
  });

  test('with no room for another segment goes on in the one that there is', async () => {
    const { disk, storage } = await opened();
    let full = true;
    disk.onOperation = ({ type, path }) =>
      full && path !== FIRST && (type === 'create' || type === 'write') ? { code: 'ENOSPC' } : undefined;
    for (const text of ['a', 'b', 'c']) await storage.write(append(1, text.repeat(5000)));
    expect(disk.paths().filter((path) => path.endsWith('.log'))).toEqual([FIRST]);
    full = false;
    await storage.write(append(1, 'd'));
    await storage.write(append(1, 'e'));
    expect(disk.paths().filter((path) => path.endsWith('.log'))).toHaveLength(2);
    await storage.close();
    expect(texts(await reopened(disk)).map((text) => text[0])).toEqual(['k', 'a', 'b', 'c', 'd', 'e']);
  });

  test('with no room for a snapshot keeps the one before', async () => {
    const { disk, clock, storage } = await opened();
    const snapshot = { index: 1, epoch: epoch(1), envelope: Uint8Array.of(1), chunks: [new Uint8Array(100)] };
    let full = true;
    disk.onOperation = ({ path }) => (full && path.endsWith('.snapshot') ? { code: 'ENOSPC' } : undefined);
    const outcome = settled(storage.write({ snapshot, compactTo: 1 }));
    await clock.advance(1000);
    expect(outcome.state).toBe('pending');
    expect(await reopened(disk.clone())).toMatchObject({ base: 0 });
    full = false;
    await clock.advance(1000);
    expect(outcome.state).toBe('durable');
    await storage.close();
    expect(await reopened(disk)).toMatchObject({ base: 1, snapshot });
  });

  test('does not keep a store from being closed', async () => {
    const { disk, storage } = await opened();
    disk.onOperation = ({ type }) => (type === 'write' ? { code: 'ENOSPC' } : undefined);
    const outcome = settled(storage.write(append(1, 'a')));
    await storage.close();
    expect(outcome).toMatchObject({ state: 'rejected', error: { code: 'storage-failed' } });
    disk.onOperation = () => undefined;
    expect(texts(await reopened(disk))).toEqual(['kept']);
  });
});

describe('a disk that fails', () => {
  test.each(['write', 'sync'] as const)('on %s ends the store: nothing is tried again', async (type) => {
    const { disk, storage } = await opened();
    let failures = 1;
    disk.onOperation = (operation) => {
      if (operation.type !== type || failures === 0) return undefined;
      failures -= 1;
      return { code: 'EIO' };
    };
    const outcomes = [settled(storage.write(append(1, 'a'))), settled(storage.write(append(1, 'b')))];
    const syncs = () => disk.operations.filter((operation: Operation) => operation.type === 'sync').length;
    await expect(storage.write(append(1, 'c'))).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringContaining('EIO'),
    });
    const before = syncs();
    await expect(storage.write(append(1, 'd'))).rejects.toMatchObject({ code: 'storage-failed' });
    expect(outcomes.map(({ state }) => state)).toEqual(['rejected', 'rejected']);
    expect(syncs()).toBe(before);
    await storage.close();
    // Not from the cache either: it may never have reached the disk.
    expect(texts(await reopened(disk))).toEqual(['kept']);
  });

  test('when a segment is begun, after what was acknowledged, ends the store too', async () => {
    const { disk, storage } = await opened();
    disk.onOperation = ({ type }) => (type === 'create' ? { code: 'EIO' } : undefined);
    await storage.write(append(1, 'a'.repeat(5000)));
    await expect(storage.write(append(1, 'b'))).rejects.toMatchObject({ code: 'storage-failed' });
    await storage.close();
    disk.onOperation = () => undefined;
    expect(texts(await reopened(disk))).toEqual(['kept', 'a'.repeat(5000)]);
  });
});

describe('group commit', () => {
  test('what arrives while a batch is synced is the next batch: one write and one sync', async () => {
    const { disk, storage } = await opened();
    const before = disk.operations.length;
    const writes = ['a', 'b', 'c', 'd', 'e'].map((text) => storage.write(append(1, text)));
    await Promise.all(writes);
    const [first, ...later] = disk.operations.slice(before);
    expect([first, ...later].map((operation) => operation?.type)).toEqual(['write', 'sync']);
    await storage.close();
    expect(texts(await reopened(disk))).toEqual(['kept', 'a', 'b', 'c', 'd', 'e']);
  });

  test('is in the order of the calls', async () => {
    const { disk, storage } = await opened();
    const order: number[] = [];
    const writes = Array.from({ length: 50 }, (_, i) =>
      storage.write(append(1, `${i}`))?.then(() => {
        order.push(i);
      }),
    );
    await Promise.all(writes);
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
    await storage.close();
    expect(texts(await reopened(disk)).slice(1)).toEqual(order.map(String));
  });
});
