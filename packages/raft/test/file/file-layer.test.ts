import { constants, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFileLayer } from '../../src/file/file-layer.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mosaik-file-layer-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('files of this machine', () => {
  it.runIf(process.platform === 'linux')(
    'that are written through bypass the cache, and others do not',
    async () => {
      const through = await nodeFileLayer.open(join(directory, 'through'), 'create', { through: true });
      const plain = await nodeFileLayer.open(join(directory, 'plain'), 'create');
      expect(flagsOf(join(directory, 'through')) & constants.O_DSYNC).toBe(constants.O_DSYNC);
      expect(flagsOf(join(directory, 'plain')) & constants.O_DSYNC).toBe(0);
      await through.close();
      await plain.close();
    },
  );

  it('are written in many pieces, at their place, and are not created twice', async () => {
    const path = join(directory, 'file');
    const file = await nodeFileLayer.open(path, 'create', { through: true });
    await file.write([Buffer.from('0123456789')], 0);
    await file.write(
      Array.from({ length: 2000 }, () => Buffer.from('ab')),
      5,
    );
    await file.close();
    expect(readFileSync(path, 'latin1')).toBe(`01234${'ab'.repeat(2000)}`);
    await expect(nodeFileLayer.open(path, 'create')).rejects.toMatchObject({ code: 'EEXIST' });
  });
});

/** Of the descriptor of this process that has the file open (proc(5)). */
function flagsOf(path: string): number {
  for (const fd of readdirSync('/proc/self/fd')) {
    if (!isLinkTo(`/proc/self/fd/${fd}`, path)) continue;
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    return Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '', 8);
  }
  throw new Error(`${path} is not open`);
}

function isLinkTo(link: string, path: string): boolean {
  try {
    return readlinkSync(link) === path;
  } catch {
    // The descriptor that listed the directory.
    return false;
  }
}
