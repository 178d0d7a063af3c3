import { join } from 'node:path';
import { fileLogStorage } from '@mosaik/raft/file';
import type { GroupId, PeerId } from '@mosaik/wire';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from '../src/cli/run-command-line.ts';
import { openIdentity } from '../src/files/identity.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const GROUP = 'ab'.repeat(32) as GroupId;
const OTHER = 'cd'.repeat(32) as PeerId;

/** What the command said, and its exit code. */
async function recover(...args: string[]) {
  const said: string[] = [];
  const take = (text: unknown) => said.push(String(text)) > 0;
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  const code = await runCommandLine(['node', 'mosaik', 'recover', ...args], {
    page: undefined as never,
    executable: '',
  });
  vi.restoreAllMocks();
  return { code, said: said.join('') };
}
afterEach(() => {
  vi.restoreAllMocks();
});

/** A data directory whose log lists this node and another one. */
async function createDataDir(): Promise<{ directory: string; member: PeerId }> {
  const directory = temporaryDirectory();
  const { id: member } = await openIdentity(directory, 'test');
  const storage = fileLogStorage(join(directory, 'log'));
  await storage.open({ group: GROUP, member });
  const epoch = { term: 3, leader: OTHER, nonce: 5n };
  const members = [member, OTHER].map((peer) => ({ peer, incarnation: 7n }));
  await storage.write({
    hardState: { incarnation: 7n, term: 3 },
    append: [{ epoch, entries: [{ type: 'Opening', forced: false, members, learners: [] }] }],
  });
  await storage.close();
  return { directory, member };
}

describe('mosaik recover', () => {
  it('begins the group anew with this node alone, and names who has to come back', async () => {
    const { directory, member } = await createDataDir();
    const { code, said } = await recover('--force-new-group', '--data-dir', directory);
    expect([code, said]).toEqual([
      0,
      `the group begins anew with ${member} alone, after entry 1 of term 3\nto come back without its log: ${OTHER}\n`,
    ]);
    const storage = fileLogStorage(join(directory, 'log'));
    const stored = await storage.open({ group: GROUP, member });
    await storage.close();
    expect(stored?.hardState.term).toBe(4);
    expect(stored?.runs.at(-1)?.entries).toEqual([
      {
        type: 'Opening',
        forced: true,
        members: [{ peer: member, incarnation: stored?.hardState.incarnation }],
        learners: [OTHER],
      },
    ]);
  });

  it('names the flag when a process uses the directory', async () => {
    const { directory, member } = await createDataDir();
    const storage = fileLogStorage(join(directory, 'log'));
    await storage.open({ group: GROUP, member });
    const { code, said } = await recover('--force-new-group', '--data-dir', directory);
    await storage.close();
    expect(code).toBe(2);
    expect(said).toContain(`mosaik: --data-dir ${JSON.stringify(directory)}: `);
  });

  it('does nothing without being told so, nor where there is no log', async () => {
    const { directory } = await createDataDir();
    expect(await recover('--data-dir', directory)).toMatchObject({
      code: 2,
      said: expect.stringMatching(/--force-new-group is missing/),
    });
    expect(await recover('--force-new-group', '--data-dir', temporaryDirectory())).toMatchObject({
      code: 2,
      said: expect.stringMatching(/there is no log in it/),
    });
  });
});
