import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileLogStorage } from '@mosaik/raft/file';
import { runLogStorageSuite } from '@mosaik/raft/testing';
import { bundle } from '@mosaik/tooling-config/bundle';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { append, HARD, texts } from './support.ts';

const temporary = mkdtempSync(join(tmpdir(), 'mosaik-log-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
let directories = 0;
function newDirectory(): string {
  directories += 1;
  return join(temporary, `${directories}`, 'log');
}

describe('fileLogStorage', () => {
  runLogStorageSuite({
    test,
    equal: (actual, expected) => expect(actual).toEqual(expected),
    async create() {
      const directory = newDirectory();
      return { storage: fileLogStorage(directory), reopen: async () => fileLogStorage(directory) };
    },
  });

  test('refuses a segment size that is none', () => {
    expect(() => fileLogStorage('x', { segmentBytes: 100 })).toThrow(RangeError);
  });

  test('says what is wrong with a directory that can not be used', async () => {
    const storage = fileLogStorage('/dev/null/log');
    await expect(storage.open()).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringContaining('/dev/null/log'),
    });
    await storage.close();
  });
});

describe('one process at a time', { timeout: 60_000 }, () => {
  const executable = join(temporary, 'writer.mjs');
  beforeAll(async () => {
    await bundle({
      entryPoints: [fileURLToPath(new URL('writer-process.ts', import.meta.url))],
      outfile: executable,
    });
  });

  /** A writer, and the highest number up to which it said that all are acknowledged. */
  async function startWriter(
    directory: string,
  ): Promise<{ child: ChildProcess; acknowledged: () => number }> {
    const child = spawn(process.execPath, [executable, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    while (!text.startsWith('open\n')) await once(child.stdout, 'data');
    const acknowledged = () => Math.max(0, ...text.split('\n').slice(1, -1).map(Number));
    return { child, acknowledged };
  }

  test('what was acknowledged survives kill -9, again and again', async () => {
    const directory = newDirectory();
    for (let round = 1; round <= 5; round += 1) {
      const { child, acknowledged } = await startWriter(directory);
      while (acknowledged() < round * 60) await once(child.stdout as never, 'data');
      child.kill('SIGKILL');
      await once(child, 'close');
      const storage = fileLogStorage(directory);
      const found = texts(await storage.open());
      await storage.close();
      expect(found.length).toBeGreaterThanOrEqual(acknowledged());
      expect(found).toEqual(found.map((_, i) => `${i + 1} ${'v'.repeat((i + 1) % 700)}`));
    }
    expect(readdirSync(directory).filter((name) => name.endsWith('.log')).length).toBeGreaterThan(3);
  });

  test('a log in use is refused, while its process is stopped too, and taken over once it is dead', async () => {
    const directory = newDirectory();
    const { child } = await startWriter(directory);
    await expect(fileLogStorage(directory).open()).rejects.toMatchObject({
      code: 'storage-in-use',
      message: expect.stringContaining(directory),
    });
    child.kill('SIGSTOP');
    await expect(fileLogStorage(directory).open()).rejects.toMatchObject({ code: 'storage-in-use' });
    child.kill('SIGKILL');
    await once(child, 'close');
    const storage = fileLogStorage(directory);
    await storage.open();
    await storage.close();
    expect(readdirSync(directory).filter((name) => name.startsWith('lock'))).toEqual([]);
  });

  test('of many that try at once at most one has it, and then another may', async () => {
    const directory = newDirectory();
    const first = fileLogStorage(directory);
    await first.open();
    await first.write({ ...HARD, ...append(1, 'a') });
    await first.close();
    for (let round = 0; round < 20; round += 1) {
      const stores = Array.from({ length: 4 }, () => fileLogStorage(directory));
      const outcomes = await Promise.allSettled(stores.map((store) => store.open()));
      const open = outcomes.filter(({ status }) => status === 'fulfilled');
      expect(open.length).toBeLessThanOrEqual(1);
      await Promise.all(stores.map((store) => store.close()));
      const next = fileLogStorage(directory);
      expect(texts(await next.open())).toEqual(['a']);
      await next.close();
    }
  });

  test('the directory may have a path longer than the name of a socket', async () => {
    const directory = join(newDirectory(), 'd'.repeat(150));
    const storage = fileLogStorage(directory);
    await storage.open();
    await expect(fileLogStorage(directory).open()).rejects.toMatchObject({ code: 'storage-in-use' });
    await storage.close();
  });
});
