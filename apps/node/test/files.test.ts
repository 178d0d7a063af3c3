import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createPrivateFile } from '../src/files/create-private-file.ts';
import { IDENTITY_FILE, openIdentity } from '../src/files/identity.ts';
import { readSmallFile } from '../src/files/read-small-file.ts';
import { temporaryDirectory } from './temporary-directory.ts';

describe('an identity in a data directory', () => {
  it('is made once, for its owner alone, and found again', async () => {
    const directory = join(temporaryDirectory(), 'a', 'b');
    const first = await openIdentity(directory, '--data-dir');
    const second = await openIdentity(directory, '--data-dir');
    expect(second.id).toBe(first.id);
    expect(statSync(join(directory, IDENTITY_FILE)).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(directory)).toEqual([IDENTITY_FILE]);
  });

  it('is the same for all who open it at once', async () => {
    const directory = temporaryDirectory();
    const keys = await Promise.all(Array.from({ length: 8 }, () => openIdentity(directory, '--data-dir')));
    expect(new Set(keys.map(({ id }) => id)).size).toBe(1);
  });

  it('is refused, not replaced, when it is malformed', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, IDENTITY_FILE), 'not hex');
    await expect(openIdentity(directory, '--data-dir')).rejects.toThrow(
      `--data-dir "${directory}": the file identity in it does not hold 64 hex digits`,
    );
    expect(readFileSync(join(directory, IDENTITY_FILE), 'utf8')).toBe('not hex');
  });

  it('is refused where a directory can not be', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    await expect(openIdentity(join(file, 'data'), '--data-dir')).rejects.toThrow(
      'can not be used: a part of the path is not a directory',
    );
  });
});

describe('a private file', () => {
  it('never replaces another', async () => {
    const path = join(temporaryDirectory(), 'secret');
    await createPrivateFile(path, 'first');
    await expect(createPrivateFile(path, 'second')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(path, 'utf8')).toBe('first');
  });

  it('leaves nothing behind when it can not be made', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'taken'));
    await expect(createPrivateFile(join(directory, 'taken'), 'x')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readdirSync(directory)).toEqual(['taken']);
    expect(existsSync(join(directory, 'taken'))).toBe(true);
  });
});

describe('a small file', () => {
  it('is read up to its limit and refused above', async () => {
    const path = join(temporaryDirectory(), 'file');
    writeFileSync(path, 'x'.repeat(100));
    await expect(readSmallFile(path, 100)).resolves.toBe('x'.repeat(100));
    await expect(readSmallFile(path, 99)).rejects.toThrow('is larger than 99 bytes');
  });
});
