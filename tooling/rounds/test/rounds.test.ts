import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, ownDirectory } from '@mosaik/tooling-config/bundle';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { chooseLinks, namespacesObstacle } from '../src/choose-links.ts';
import { History, type Write } from '../src/history.ts';
import { relayLinks } from '../src/relays.ts';
import { runRounds } from '../src/rounds.ts';

const here = fileURLToPath(new URL('..', import.meta.url));
const obstacle = await namespacesObstacle();
const outdir = ownDirectory(here);
const executable = join(outdir, 'member-process.js');

beforeAll(async () => {
  await bundle({ entryPoints: [join(here, 'src/member-process.ts')], outfile: executable });
  // A worker of the tests is ended in a way that runs nothing at its exit.
  return () => rmSync(outdir, { recursive: true, force: true });
});

describe('real processes', { timeout: 300_000 }, () => {
  const printed = () => {
    const lines: string[] = [];
    onTestFinished(({ task }) => {
      if (task.result?.state === 'fail') console.log(lines.join('\n'));
    });
    return (line: string) => void lines.push(line);
  };

  test.each([
    ['killAll', 3, 'relays'],
    ['stopLeader', 3, undefined],
    ['cutLeader', 5, undefined],
  ] as const)(
    '%s of %i: no acknowledged write is lost, no strong read is stale',
    async (fault, nodes, kind) => {
      const print = printed();
      const createLinks = await chooseLinks(kind, print);
      const result = await runRounds({ executable, seed: 1, rounds: 2, nodes, fault, createLinks, print });
      expect(result.problems).toEqual([]);
      expect(result.rounds).toBe(2);
      expect(result.acknowledged).toBeGreaterThan(0);
      expect(result.reads).toBeGreaterThan(0);
      expect(result.snapshotsTaken).toBeGreaterThan(0);
    },
  );

  test('members that acknowledge and keep nothing are noticed', async () => {
    const print = printed();
    const init = { executable, seed: 1, rounds: 3, nodes: 3, fault: 'killAll', createLinks: relayLinks };
    const { problems } = await runRounds({ ...init, forgets: true, print });
    expect(problems.join('\n')).toMatch(/acknowledged write lost/);
  });
});

test('nothing is left behind when the links cannot be made', async () => {
  const temporary = mkdtempSync(join(outdir, 'temporary-'));
  vi.stubEnv('TMPDIR', temporary);
  onTestFinished(() => void vi.unstubAllEnvs());
  let before: string[] = [];
  const createLinks = async () => {
    before = readdirSync(temporary);
    throw new Error('no links');
  };
  const init = { executable, seed: 1, rounds: 1, nodes: 3, createLinks, print: () => {} };
  await expect(runRounds(init)).rejects.toThrow('no links');
  expect(before).toHaveLength(1);
  expect(readdirSync(temporary)).toEqual([]);
});

describe.skipIf(obstacle !== undefined)('links in namespaces', { timeout: 60_000 }, () => {
  test('are gone with the process that made them, however that ends', async () => {
    const maker = join(outdir, 'maker.js');
    const contents = `
      import { namespaceLinks } from './src/namespaces.ts';
      const links = await namespaceLinks(3);
      process.send([0, 1, 2].map((member) => links.prefix(member)));
      process.on('message', () => {});`;
    await bundle({ stdin: { contents, resolveDir: here }, outfile: maker });
    const child = spawn(process.execPath, [maker], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const prefixes = await new Promise<string[][]>((resolve, reject) => {
      child.once('message', (said) => resolve(said as string[][]));
      child.once('exit', () => reject(new Error('it ended')));
    });
    const pids = prefixes.map((prefix) => prefix[prefix.indexOf('--target') + 1]);
    expect(pids.map((pid) => existsSync(`/proc/${pid}`))).toEqual([true, true, true]);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(pids.some((pid) => existsSync(`/proc/${pid}`))).toBe(false), {
      timeout: 20_000,
    });
  });
});

describe('the check of a history notices', () => {
  const write = (id: string, startedMs: number, endedMs: number, index: number): Write => {
    return { type: 'write', key: 'k', id, startedMs, endedMs, outcome: 'acknowledged', index };
  };
  const entry = (id: string, index: number) => ({ key: 'k', id, index });
  const read = (startedMs: number, endedMs: number, found?: ReturnType<typeof entry>) => {
    return { type: 'read' as const, key: 'k', startedMs, endedMs, entry: found };
  };

  test('nothing in one that is right', () => {
    const history = new History();
    history.writes.push(write('a', 0, 10, 1), write('b', 5, 20, 2), {
      ...write('c', 6, 30, 0),
      outcome: 'unknown',
    });
    history.reads.push(read(0, 3), read(4, 12, entry('a', 1)), read(6, 25, entry('b', 2)));
    expect(history.problems([entry('a', 1), entry('b', 2)])).toEqual([]);
  });

  test.each([
    ['an acknowledged write that is gone', [write('a', 0, 10, 1)], [], [], /lost/],
    ['one at another index', [write('a', 0, 10, 1)], [], [entry('a', 2)], /lost/],
    ['one applied twice', [write('a', 0, 10, 1)], [], [entry('a', 1), entry('a', 2)], /twice/],
    [
      'a refused one that is there',
      [{ ...write('a', 0, 9, 0), outcome: 'refused' as const }],
      [],
      [entry('a', 1)],
      /refused/,
    ],
    [
      'writes in the wrong order',
      [write('a', 0, 10, 2), write('b', 11, 20, 1)],
      [],
      [entry('b', 1), entry('a', 2)],
      /began after/,
    ],
    ['a stale read', [write('a', 0, 10, 1)], [read(11, 12)], [entry('a', 1)], /stale read/],
    [
      'a read behind another',
      [{ ...write('a', 0, 99, 1), outcome: 'unknown' as const }],
      [read(1, 5, entry('a', 1)), read(6, 7)],
      [entry('a', 1)],
      /stale read/,
    ],
    ['a read of the future', [write('a', 20, 30, 1)], [read(1, 5, entry('a', 1))], [entry('a', 1)], /future/],
  ])('%s', (_what, writes, reads, entries, problem) => {
    const history = new History();
    history.writes.push(...writes);
    history.reads.push(...reads);
    expect(history.problems(entries).join()).toMatch(problem);
  });
});
