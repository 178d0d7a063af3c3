import type { RaftError } from '@mosaik/raft';
import { describe, expect, test } from 'vitest';
import { FILE_HEADER_BYTES } from '../../src/file/format.ts';
import { FakeDisk } from './fake-disk.ts';
import { append, command, DIRECTORY, epoch, HARD, logOn, reopened, texts } from './support.ts';

const FIRST = `${DIRECTORY}/00000001.log`;

/** A log of three batches, and where each of them ends in its only segment. */
async function threeBatches(): Promise<{ disk: FakeDisk; ends: number[] }> {
  const disk = new FakeDisk();
  const storage = logOn(disk);
  await storage.open();
  const ends: number[] = [];
  for (const write of [{ ...HARD, ...append(1, 'one') }, append(1, 'two', 'more'), append(2, 'three')]) {
    await storage.write(write);
    ends.push(disk.content(FIRST).length);
  }
  await storage.close();
  return { disk, ends };
}

/** Several segments, with a snapshot. */
async function manySegments(): Promise<FakeDisk> {
  const disk = new FakeDisk();
  const storage = logOn(disk);
  await storage.open();
  await storage.write(HARD);
  for (let i = 1; i <= 40; i += 1) await storage.write(append(1, `${i}${'x'.repeat(500)}`));
  const snapshot = {
    index: 20,
    epoch: epoch(1),
    envelope: Uint8Array.of(1),
    chunks: [new Uint8Array(700).fill(9)],
  };
  await storage.write({ snapshot, compactTo: 15 });
  await storage.close();
  return disk;
}

function flipped(content: Buffer, at: number, bit = 1): Buffer {
  const copy = Buffer.from(content);
  copy[at] = (copy[at] ?? 0) ^ bit;
  return copy;
}

async function refusal(disk: FakeDisk): Promise<RaftError> {
  return reopened(disk).then(
    (stored) => {
      throw new Error(`opened with ${texts(stored)}`);
    },
    (error: unknown) => error as RaftError,
  );
}

describe('a write that a crash cut short', () => {
  test('is gone, whatever byte it was cut at, and what was durable is there', async () => {
    const { disk, ends } = await threeBatches();
    const content = disk.content(FIRST);
    for (let length = ends[1] as number; length < content.length; length += 1) {
      const cut = disk.clone();
      cut.replace(FIRST, content.subarray(0, length));
      expect(texts(await reopened(cut))).toEqual(['one', 'two', 'more']);
      expect(cut.content(FIRST)).toEqual(content.subarray(0, ends[1]));
    }
  });

  test('is gone when the file grew and a sector of it was never written', async () => {
    const disk = new FakeDisk();
    const storage = logOn(disk, 1 << 20);
    await storage.open();
    await storage.write({ ...HARD, ...append(1, 'kept') });
    const from = disk.content(FIRST).length;
    await storage.write(append(1, 'y'.repeat(2000)));
    await storage.close();
    const content = disk.content(FIRST);
    for (let at = from; at < content.length; ) {
      const end = Math.min(content.length, at - (at % 512) + 512);
      const torn = Buffer.from(content).fill(0, at, end);
      const cut = disk.clone();
      cut.replace(FIRST, torn);
      expect(texts(await reopened(cut))).toEqual(['kept']);
      at = end;
    }
  });

  test('leaves a log that goes on', async () => {
    const { disk, ends } = await threeBatches();
    disk.replace(FIRST, disk.content(FIRST).subarray(0, (ends[2] as number) - 3));
    const storage = logOn(disk);
    expect(texts(await storage.open())).toEqual(['one', 'two', 'more']);
    await storage.write(append(3, 'four'));
    await storage.close();
    expect(texts(await reopened(disk))).toEqual(['one', 'two', 'more', 'four']);
  });

  test('may have been the segment that follows, or the seal of the one before', async () => {
    const disk = new FakeDisk();
    const storage = logOn(disk);
    await storage.open();
    const second = `${DIRECTORY}/00000002.log`;
    const states: FakeDisk[] = [];
    disk.onOperation = ({ path, type }) => {
      if (path === second || (type === 'sync' && disk.paths().includes(second))) states.push(disk.clone());
      return undefined;
    };
    await storage.write({ ...HARD, ...append(1, 'a'.repeat(5000)) });
    await storage.close();
    expect(states.length).toBeGreaterThan(2);
    for (const state of states) {
      const again = logOn(state);
      expect(texts(await again.open())).toEqual(['a'.repeat(5000)]);
      await again.write(append(1, 'b'));
      await again.close();
      expect(texts(await reopened(state))).toEqual(['a'.repeat(5000), 'b']);
    }
  });
});

describe('damage', () => {
  test('of any bit of any file is refused by its name, with where', async () => {
    const { disk } = await threeBatches();
    for (const path of disk.paths()) {
      const content = disk.content(path);
      for (let at = 0; at < content.length; at += 1) {
        const bad = disk.clone();
        bad.replace(path, flipped(content, at, 1 << (at % 8)));
        const error = await refusal(bad).catch((opened: Error) => {
          // What was written last may look cut short: when its size says more than is there.
          expect(opened.message).toBe('opened with one,two,more');
          return undefined;
        });
        if (!error) continue;
        expect(error).toMatchObject({ code: 'storage-damaged', file: path });
        expect(error.message).toContain(path);
        expect(error.offset).toBeLessThanOrEqual(at);
        expect(at - (error.offset as number)).toBeLessThan(200);
      }
    }
  });

  test('of the last batch is not taken for a write that was cut short', async () => {
    const { disk, ends } = await threeBatches();
    const content = disk.content(FIRST);
    for (let at = ends[1] as number; at < (ends[2] as number); at += 1) {
      const bad = disk.clone();
      bad.replace(FIRST, flipped(content, at));
      expect(await refusal(bad)).toMatchObject({ offset: ends[1] });
    }
  });

  test('before an intact batch is damage, even where nothing was written', async () => {
    const { disk, ends } = await threeBatches();
    const bad = disk.clone();
    bad.replace(FIRST, disk.content(FIRST).fill(0, ends[0], ends[1]));
    expect(await refusal(bad)).toMatchObject({ code: 'storage-damaged', offset: ends[0] });
  });

  test('of many segments and a snapshot is refused wherever it is', async () => {
    const disk = await manySegments();
    expect(disk.paths().length).toBeGreaterThan(5);
    for (const path of disk.paths()) {
      const content = disk.content(path);
      for (let at = 0; at < content.length; at += 97) {
        const bad = disk.clone();
        bad.replace(path, flipped(content, at));
        expect(await refusal(bad)).toMatchObject({ code: 'storage-damaged', file: path });
        expect(bad.content(path)).toEqual(flipped(content, at));
      }
      const short = disk.clone();
      short.replace(path, content.subarray(0, FILE_HEADER_BYTES + 20));
      expect(await refusal(short)).toMatchObject({ code: 'storage-damaged', file: path });
    }
  });

  test('a file that is gone is missed, be it the first, one between, the last, or a snapshot', async () => {
    const disk = await manySegments();
    for (const path of disk.paths()) {
      const bad = disk.clone();
      bad.replace(path, undefined);
      const error = await refusal(bad);
      expect(error).toMatchObject({ code: 'storage-damaged', file: path });
      expect(error.message).toContain('missing');
    }
  });

  test('a segment put in the place of another is refused', async () => {
    const disk = await manySegments();
    const [, second, third] = disk.paths().filter((path) => path.endsWith('.log')) as [
      string,
      string,
      string,
    ];
    disk.replace(third, disk.content(second));
    expect(await refusal(disk)).toMatchObject({ code: 'storage-damaged', file: third });
  });

  test('a segment of another store is refused', async () => {
    const [{ disk }, { disk: other }] = [await threeBatches(), await threeBatches()];
    disk.replace(FIRST, other.content(FIRST));
    expect((await refusal(disk)).message).toContain('another store');
  });

  test('all segments gone is not a new store', async () => {
    const { disk } = await threeBatches();
    disk.replace(FIRST, undefined);
    expect(await refusal(disk)).toMatchObject({ code: 'storage-damaged', file: FIRST });
  });
});

test('a store that was never finished is begun anew', async () => {
  const disk = new FakeDisk();
  const states: FakeDisk[] = [];
  disk.onOperation = () => {
    states.push(disk.clone());
    return undefined;
  };
  await logOn(disk).open();
  expect(states.length).toBeGreaterThan(5);
  for (const state of states) {
    const storage = logOn(state);
    expect(await storage.open()).toBeUndefined();
    await storage.write({ ...HARD, ...append(1, 'a') });
    await storage.close();
    expect(texts(await reopened(state))).toEqual(['a']);
  }
});

test('a store is of one member of one group', async () => {
  const disk = new FakeDisk();
  const owner = { group: 'aa'.repeat(32), member: 'bb'.repeat(32) } as never;
  const storage = logOn(disk);
  await storage.open(owner);
  await storage.write(HARD);
  await storage.close();
  for (const other of [
    { group: 'cc'.repeat(32), member: 'bb'.repeat(32) },
    { group: 'aa'.repeat(32), member: 'cc'.repeat(32) },
  ])
    await expect(logOn(disk).open(other as never)).rejects.toMatchObject({ code: 'storage-in-use' });
  expect(await logOn(disk).open(owner)).toMatchObject({ hardState: { incarnation: 5n } });
});

test('compaction removes whole segments and the snapshot before', async () => {
  const disk = await manySegments();
  const storage = logOn(disk);
  const before = disk.paths();
  await storage.open();
  const snapshot = { index: 40, epoch: epoch(1), envelope: Uint8Array.of(2), chunks: [] };
  await storage.write({ snapshot, compactTo: 40 });
  await storage.write({ append: [{ epoch: epoch(1), entries: [command('next')] }] });
  await storage.close();
  expect(disk.paths().length).toBeLessThan(before.length - 2);
  expect(disk.paths().filter((path) => path.endsWith('.snapshot'))).toHaveLength(1);
  const stored = await reopened(disk);
  expect(stored).toMatchObject({ base: 40, snapshot });
  expect(texts(stored)).toEqual(['next']);
});
