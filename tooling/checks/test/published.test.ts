import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingExports, missingFromReadme, packAll, publishedProblems } from '../src/published.ts';
import { readWorkspace, repository } from '../src/workspace.ts';
import { directoryOf } from './fixture.ts';

const packages = readWorkspace(repository).packages.filter(({ directory }) =>
  directory.startsWith(join(repository, 'packages')),
);
const directory = mkdtempSync(join(tmpdir(), 'mosaik-pack-'));
let tarballs = new Map<string, Uint8Array>();

function tarballOf(name: string): Uint8Array {
  const tarball = tarballs.get(name);
  if (!tarball) throw new Error(`${name} was not packed`);
  return tarball;
}

beforeAll(() => {
  tarballs = packAll(repository, directory);
}, 60_000);
afterAll(() => rmSync(directory, { recursive: true }));

test('there are eight or more packages to look at', () => {
  expect(packages.length).toBeGreaterThanOrEqual(8);
});

describe.each(packages.map((owner) => [owner.name, owner] as const))(
  '%s',
  { timeout: 60_000 },
  (name, owner) => {
    test('was built', () => {
      expect(existsSync(join(owner.directory, 'dist', 'index.js')), 'run `pnpm build`').toBe(true);
    });

    test('as packed has every file that its exports map names', () => {
      expect(missingExports(owner.manifest, tarballOf(name))).toEqual([]);
    });

    test('as packed has every file of its own that its README names', () => {
      expect(missingFromReadme(owner.directory, tarballOf(name))).toEqual([]);
    });

    test('as packed satisfies publint and attw', async () => {
      expect(await publishedProblems(tarballOf(name))).toEqual([]);
    });

    test('is published with every export that is built', () => {
      const { exports = {}, publishConfig } = owner.manifest;
      const built = Object.entries(exports).filter(
        ([, target]) => typeof target === 'string' || target.default !== undefined,
      );
      expect(publishConfig?.exports ?? exports).toEqual(Object.fromEntries(built));
    });

    test('loads in plain Node from what was built', () => {
      const { exports = {}, publishConfig } = owner.manifest;
      const subpaths = Object.keys(publishConfig?.exports ?? exports)
        .filter((subpath) => subpath !== './package.json' && subpath !== './testing')
        .map((subpath) => `${name}${subpath.slice(1)}`);
      const script = `for (const name of ${JSON.stringify(subpaths)}) {
      if (Object.keys(await import(name)).length === 0) throw new Error(name + ' exports nothing');
    }`;
      const ran = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
        cwd: owner.directory,
        env: { ...process.env, NODE_OPTIONS: '' },
        encoding: 'utf8',
      });
      expect(ran.stderr).not.toMatch(/Error/);
      expect(ran.status).toBe(0);
    });
  },
);

describe('a package that is published wrongly is found', { timeout: 60_000 }, () => {
  const manifest = (rest: object) =>
    JSON.stringify({
      name: '@x/a',
      version: '1.0.0',
      type: 'module',
      license: 'MIT',
      files: ['dist'],
      exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
      ...rest,
    });
  const pack = (files: Record<string, string>) => {
    const root = directoryOf({
      'package.json': '{ "name": "root", "private": true }',
      'pnpm-workspace.yaml': 'packages: [packages/*]',
      ...Object.fromEntries(Object.entries(files).map(([path, text]) => [`packages/a/${path}`, text])),
      'out/.keep': '',
    });
    rmSync(join(root, 'out', '.keep'));
    const tarball = packAll(root, join(root, 'out')).get('@x/a');
    if (!tarball) throw new Error('not packed');
    return tarball;
  };
  const good = {
    'dist/index.js': 'export const a = 1;',
    'dist/index.d.ts': 'export declare const a: number;',
  };

  test('not one that is right', async () => {
    const packed = pack({ 'package.json': manifest({}), ...good });
    expect(await publishedProblems(packed)).toEqual([]);
  });

  test('an export of a file that is not there', async () => {
    const exports = { '.': './dist/index.js', './b': './dist/b.js' };
    const packed = pack({ 'package.json': manifest({ exports }), ...good });
    expect(missingExports({ name: '@x/a', exports }, packed)).toEqual(['./dist/b.js']);
    expect((await publishedProblems(packed)).join()).toContain('does not exist');
  });

  test('types that disagree with the module', async () => {
    const packed = pack({
      'package.json': manifest({}),
      ...good,
      'dist/index.d.ts': "export { a } from './lost.js';",
    });
    expect((await publishedProblems(packed)).join()).toContain('attw');
  });

  test('CommonJS that claims to be a module', async () => {
    const packed = pack({ 'package.json': manifest({}), ...good, 'dist/index.js': 'module.exports = 1;' });
    expect((await publishedProblems(packed)).join()).toContain('publint');
  });
});
