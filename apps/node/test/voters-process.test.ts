import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ApiClient } from '../src/client/api-client.ts';
import { runMosaik, startMosaik } from './mosaik-process.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const KEY = 'cd'.repeat(32);
const WAIT = { timeout: 30_000, interval: 50 };

interface Voter {
  readonly peerId: string;
  readonly http: string;
  readonly addresses: readonly string[];
  readonly api: ApiClient;
}

async function startVoter(
  dataDir: string,
  voters: readonly string[],
  bootstrap: readonly string[],
): Promise<Voter> {
  const first = bootstrap.flatMap((address) => ['--bootstrap', address]);
  const node = startMosaik(
    [
      ...['up', '--json', '--network', 'test', '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'],
      ...['--data-dir', dataDir, '--voters', voters.join(','), ...first],
    ],
    { env: { MOSAIK_GROUP_KEY: KEY } },
  );
  const ready = JSON.parse((await node.printed(/^(.*)\n/))[1] ?? '') as Omit<Voter, 'api'>;
  return { ...ready, api: new ApiClient({ url: ready.http, timeoutMs: 20_000 }) };
}

/** Who leads, once all of them agree and are online. */
function agreedLeader(nodes: readonly Voter[]): Promise<Voter> {
  return vi.waitFor(async () => {
    const statuses = await Promise.all(nodes.map(({ api }) => api.status()));
    expect(statuses.every(({ online }) => online)).toBe(true);
    const leaders = new Set(statuses.map(({ leader }) => leader));
    expect(leaders.size).toBe(1);
    const leader = nodes.find(({ peerId }) => leaders.has(peerId as never));
    if (!leader) throw new Error('somebody else leads');
    return leader;
  }, WAIT);
}

async function ask(node: Voter, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runMosaik([...args, '--http', node.http]);
  expect([code, stderr], args.join(' ')).toEqual([0, '']);
  return stdout.trim();
}

/** Writes through all nodes, one after the other each, until it is stopped; gives what was written. */
function startWriting(nodes: readonly Voter[]): () => Promise<Map<string, string>> {
  const written = new Map<string, string>();
  let going = true;
  const writers = nodes.map(async ({ api }, writer) => {
    for (let i = 0; going; i += 1) {
      await api.put(`w${writer}`, Buffer.from(String(i)));
      written.set(`w${writer}`, String(i));
    }
  });
  return async () => {
    going = false;
    await Promise.all(writers);
    return written;
  };
}

describe('voters, real processes', { timeout: 120_000 }, () => {
  it('hand leadership over without losing a write, are added and removed, the leader too', async () => {
    const directory = temporaryDirectory();
    const dirs = [0, 1, 2, 3].map((i) => join(directory, String(i)));
    const ids: string[] = [];
    for (const dir of dirs) ids.push((await runMosaik(['id', '--data-dir', dir])).stdout.trim());
    const genesis = ids.slice(0, 3);
    const nodes: Voter[] = [];
    for (const dir of dirs) nodes.push(await startVoter(dir, genesis, nodes[0]?.addresses ?? []));
    const added = nodes[3] as Voter;
    const first = await agreedLeader(nodes);
    expect((await first.api.status()).quorum).toEqual({ mode: 'voters', have: 3, need: 2 });

    const stop = startWriting(nodes);
    const target = nodes.find((node) => node !== first && node !== added) as Voter;
    const other = nodes.find((node) => node !== first && node !== target && node !== added) as Voter;
    expect(await ask(other, 'transfer', target.peerId)).toBe(target.peerId);
    expect(await agreedLeader(nodes)).toBe(target);

    await ask(other, 'voters', 'add', added.peerId);
    expect(JSON.parse(await ask(added, 'voters', 'list'))).toMatchObject({
      mode: 'voters',
      genesis: [...genesis].sort(),
      voters: expect.arrayContaining(ids),
      learners: [],
    });
    await ask(added, 'voters', 'remove', target.peerId);
    const next = await agreedLeader(nodes);
    expect(next).not.toBe(target);
    const written = await stop();
    for (const [key, value] of written) {
      const { value: read } = (await target.api.get(key)) ?? { value: new Uint8Array() };
      expect(Buffer.from(read).toString()).toBe(value);
    }
    expect(written.size).toBe(4);
    expect((await next.api.status()).quorum).toEqual({ mode: 'voters', have: 3, need: 2 });
    expect((await next.api.voters()).voters).not.toContain(target.peerId);
  });
});
