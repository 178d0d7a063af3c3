import { describe, expect, test } from 'vitest';
import { coreFiles, coreTypeProblems, purityProblems } from '../src/purity.ts';
import { readWorkspace, repository, shown } from '../src/workspace.ts';
import { workspaceOf } from './fixture.ts';

describe('the protocol cores of this repository', { timeout: 60_000 }, () => {
  const workspace = readWorkspace(repository);

  test('use no ambient time, randomness or I/O and nothing asynchronous', () => {
    expect(purityProblems(workspace).problems).toEqual([]);
  });

  test('compile where neither Node nor a browser exists', () => {
    expect(coreTypeProblems(workspace)).toEqual([]);
  });

  test.each([
    'handshake/src/core',
    'raft/src/core',
    'bonds/src/core',
    'discovery/src/core',
    'transport/src/tls/core',
  ])('of %s were looked at', (directory) => {
    const files = coreFiles(workspace).map((file) => shown(repository, file));
    expect(files.filter((file) => file.startsWith(`packages/${directory}/`)).length).toBeGreaterThan(1);
  });
});

describe('purity finds', () => {
  const problemsOf = (text: string) =>
    purityProblems(workspaceOf({ 'packages/lower/src/core/a.ts': text })).problems;

  test.each([
    ['Date', 'export const a = Date.now();'],
    ['Date', 'export const a = new Date();'],
    ['Date', 'const now = Date;\nexport default now;'],
    ['Math.random', 'export const a = Math.random();'],
    ['Math.random', "export const a = Math['random']();"],
    ['Math.random', 'export const { random } = Math;'],
    ['performance', 'export const a = performance.now();'],
    ['crypto', 'export const a = crypto.getRandomValues(new Uint8Array(1));'],
    ['setTimeout', 'setTimeout(() => {}, 1);'],
    ['setImmediate', 'export const later = setImmediate;'],
    ['queueMicrotask', 'queueMicrotask(() => {});'],
    ['process', 'export const a = process.env.HOME;'],
    ['process', 'export const a = { process };'],
    ['globalThis', "export const a = globalThis['Da' + 'te'];"],
    ['Promise', 'export const a = Promise.resolve();'],
    ['Promise', 'export declare function a(): Promise<void>;'],
    ['console', "console.log('a');"],
    ['imports node:fs', "import 'node:fs';"],
    ['imports node:fs', "import type { Stats } from 'node:fs';"],
    ['imports @mosaik/wire/runtime', "import { systemClock } from '@mosaik/wire/runtime';"],
    ['imports what it computes', 'export const a = (b: string) => import(b);'],
    ['is async', 'export async function a() {}'],
    ['is async', 'export const a = async () => {};'],
    ['is async', 'export class A {\n  async a() {}\n}'],
    ['import.meta', 'export const a = import.meta.url;'],
  ])('%s in %j', (what, text) => {
    const problems = problemsOf(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).toContain(what);
    expect(problems[0]).toMatch(/^packages\/lower\/src\/core\/a\.ts:\d+ /);
  });

  test.each([
    'export const a = Math.max(1, Math.floor(2.5));',
    'export interface A { process: number; Date: string }\nexport const a = (b: A) => b.process;',
    "import type { Rng } from '@mosaik/wire/runtime';\nexport const a = (rng: Rng) => rng.float();",
    "import { type Rng } from '@mosaik/wire/runtime';\nexport const a = (rng: Rng) => rng.float();",
    '// Date.now() and await are mentioned only here, and in "Date.now()".\nexport const a = "Date.now()";',
    'export type Expiration = Date | "never";',
  ])('nothing in %j', (text) => {
    expect(problemsOf(text)).toEqual([]);
  });

  test('what a core imports from its shell', () => {
    const workspace = workspaceOf({
      'packages/lower/src/core/a.ts': "import { now } from '../shell.ts';\nexport const a = now;",
      'packages/lower/src/shell.ts': 'export const now = Date.now;',
    });
    expect(purityProblems(workspace).problems).toEqual(['packages/lower/src/shell.ts:1 uses Date']);
  });

  test('a name of the host, by the compiler', () => {
    const workspace = workspaceOf({
      'packages/lower/src/core/a.ts': 'export const a = (b: Buffer) => atob(b.toString());',
    });
    expect(coreTypeProblems(workspace).join('\n')).toMatch(/a\.ts:1 Cannot find name 'Buffer'/);
    expect(coreTypeProblems(workspace).join('\n')).toMatch(/Cannot find name 'atob'/);
  });
});
