import { join, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bundleNeutral } from '../src/bundle.ts';
import { footprint } from '../src/footprint.ts';
import { readWorkspace, repository } from '../src/workspace.ts';
import { directoryOf } from './fixture.ts';

const packages = join(repository, 'packages');

describe('bundles for a neutral platform', () => {
  const cores = readWorkspace(repository).packages.map(({ name, directory, files }) => {
    const core = files.filter((file) => file.startsWith(join(directory, 'src', 'core') + sep));
    return [`every core module of ${name}`, core] as const;
  });

  test.each([
    ['@mosaik/wire', [join(packages, 'wire/src/index.ts')]],
    ['@mosaik/wire/runtime', [join(packages, 'wire/src/runtime/index.ts')]],
    ['@mosaik/handshake', [join(packages, 'handshake/src/index.ts')]],
    ['@mosaik/raft', [join(packages, 'raft/src/index.ts')]],
    ...cores.filter(([, core]) => core.length > 0),
  ] as const)('%s', async (_name, entries) => {
    const { code, inputs } = await bundleNeutral(...entries);
    expect(inputs.length).toBeGreaterThan(3);
    expect(code).not.toMatch(/["']node:|\brequire\(/);
  });

  test('of raft too, whose core was found', () => {
    expect(cores.find(([name]) => name.endsWith('@mosaik/raft'))?.[1].length).toBeGreaterThan(3);
  });

  test.each(["import 'node:fs';", "import 'fs';", "export const a = () => import('node:os');"])(
    'refuses %s',
    async (text) => {
      const entry = join(directoryOf({ 'a.ts': text }), 'a.ts');
      await expect(bundleNeutral(entry)).rejects.toThrow(/Could not resolve "(node:)?(fs|os)"/);
    },
  );
});

describe('install footprint', () => {
  test('handshake brings two packages of others in all', () => {
    const installed = [...footprint(join(packages, 'handshake'))];
    expect(installed.filter((name) => !name.startsWith('@mosaik/')).sort()).toEqual([
      '@bufbuild/protobuf',
      '@noble/hashes',
    ]);
  });

  test('counts what a dependency brings', () => {
    const root = directoryOf({
      'package.json': '{ "dependencies": { "a": "*" } }',
      'node_modules/a/package.json': '{ "dependencies": { "b": "*" } }',
      'node_modules/b/package.json': '{}',
    });
    expect([...footprint(root)]).toEqual(['a', 'b']);
  });
});
