import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiscoveryError, filePeerBook } from '../src/index.ts';
import { testEntry } from './entries.ts';
import { testKey } from './world.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mosaik-peer-book-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('filePeerBook', () => {
  it('is empty before the first save', async () => {
    expect(await filePeerBook(join(folder, 'peers')).load()).toEqual([]);
  });

  it('loads what was saved last and leaves no other file behind', async () => {
    const path = join(folder, 'deep', 'peers');
    await filePeerBook(path).save([testEntry(1)]);
    await filePeerBook(path).save([testEntry(1, 1), testEntry(2)]);
    expect(await filePeerBook(path).load()).toEqual([testEntry(1, 1), testEntry(2)]);
    expect(await readdir(join(folder, 'deep'))).toEqual(['peers']);
  });

  it('leaves no other file behind when it can not be saved', async () => {
    const path = join(folder, 'peers');
    await mkdir(path);
    await expect(filePeerBook(path).save([testEntry(1)])).rejects.toMatchObject({ code: 'peer-book' });
    expect(await readdir(folder)).toEqual(['peers']);
  });

  it('holds no secret', async () => {
    const path = join(folder, 'peers');
    await filePeerBook(path).save([testEntry(1)]);
    const text = (await readFile(path)).toString('hex');
    expect(text).toContain(testKey(1).id);
    expect(text).not.toContain(Buffer.from(testKey(1).exportSeed()).toString('hex'));
  });

  it('says which file is not a book', async () => {
    const path = join(folder, 'peers');
    await writeFile(path, 'not a book');
    const error = await filePeerBook(path)
      .load()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DiscoveryError);
    expect(error).toMatchObject({ code: 'peer-book', message: expect.stringContaining(path) });
  });
});
