import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ApiClient } from '../src/client/api-client.ts';
import { type MosaikProcess, runMosaik, startMosaik } from './mosaik-process.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const KEY = 'ab'.repeat(32);
const WAIT = { timeout: 30_000, interval: 50 };

interface RunningNode extends MosaikProcess {
  readonly peerId: string;
  readonly addresses: readonly string[];
  readonly http: string;
  readonly api: ApiClient;
}

async function startNode(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<RunningNode> {
  const process = startMosaik(['up', '--json', '--network', 'test', '--http', '127.0.0.1:0', ...args], {
    env: { MOSAIK_GROUP_KEY: KEY, MOSAIK_LISTEN: '127.0.0.1:0', ...env },
  });
  const ready = (await readyLine(process)) as Pick<RunningNode, 'peerId' | 'addresses' | 'http'>;
  return { ...process, ...ready, api: new ApiClient({ url: ready.http, timeoutMs: 10_000 }) };
}

async function startGroup(): Promise<RunningNode[]> {
  const first = await startNode();
  const bootstrap = first.addresses.flatMap((address) => ['--bootstrap', `${first.peerId}@${address}`]);
  return [first, ...(await Promise.all([startNode(bootstrap), startNode(bootstrap)]))];
}

/** The leader that all of `nodes` name while they are online and see `bonds` bonds. */
function agreedLeader(nodes: readonly RunningNode[], bonds: number): Promise<string> {
  return vi.waitFor(async () => {
    const statuses = await Promise.all(nodes.map(({ api }) => api.status()));
    expect(statuses.every(({ online }) => online)).toBe(true);
    expect(statuses.map((status) => status.bonds.length)).toEqual(nodes.map(() => bonds));
    const leaders = new Set(statuses.map(({ leader }) => leader));
    expect(leaders.size).toBe(1);
    return [...leaders][0] as string;
  }, WAIT);
}

describe('mosaik up', { timeout: 60_000 }, () => {
  it('answers the commands that ask it', async () => {
    const { http, api, peerId } = await startNode();
    await vi.waitFor(async () => expect((await api.status()).online).toBe(true), WAIT);
    const ask = async (...args: string[]) => {
      const { code, stdout, stderr } = await runMosaik([...args, '--http', http], { stdin: 'from stdin' });
      return { code, stdout, stderr };
    };
    expect(JSON.parse((await ask('status')).stdout)).toMatchObject({ peerId, network: 'test' });
    expect((await ask('leader')).stdout).toBe(`${peerId}\n`);
    expect((await ask('peers')).stdout).toBe('[]\n');
    const put = await ask('kv', 'put', 'k', 'v');
    expect(put.stdout).toMatch(/^\d+\n$/);
    expect((await ask('kv', 'get', 'k')).stdout).toBe('v');
    expect(await ask('kv', 'put', 'k', 'w', '--cas', '0')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^mosaik: .*409.*\(conflict\)\n$/),
    });
    expect((await ask('kv', 'put', 'k', '--cas', put.stdout.trim())).code).toBe(0);
    expect((await ask('kv', 'get', 'k', '--consistency', 'weak')).stdout).toBe('from stdin');
    expect((await ask('kv', 'del', 'k')).code).toBe(0);
    expect(await ask('kv', 'get', 'k')).toMatchObject({ code: 1, stderr: 'mosaik: there is no key "k"\n' });
  });

  it('serves a dashboard that asks no other server, and metrics', async () => {
    const { http } = await startNode();
    const page = await fetch(http);
    const html = await page.text();
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(html).toContain('/v1/events');
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    const metrics = await (await fetch(`${http}/metrics`)).text();
    expect(metrics).toContain('mosaik_group_role{role="follower"}');
    expect(metrics).toContain('process_cpu_seconds_total');
    expect(metrics).toContain('mosaik_groups_active 1');
  });

  it('keeps identity and peer book in its data directory', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const { stdout } = await runMosaik(['id', '--data-dir', directory]);
    const first = await startNode(['--data-dir', directory]);
    expect(first.peerId).toBe(stdout.trim());
    first.child.kill('SIGTERM');
    expect((await first.outcome).code).toBe(0);
    expect(existsSync(join(directory, 'peers'))).toBe(true);
    expect(statSync(join(directory, 'identity')).mode & 0o777).toBe(0o600);
    const second = await startNode(['--data-dir', directory]);
    expect(second.peerId).toBe(first.peerId);
  });

  it('keeps what was acknowledged when every voter is killed at once', async () => {
    const root = temporaryDirectory();
    const directories = [0, 1, 2].map((i) => join(root, `${i}`));
    const ids = await Promise.all(
      directories.map(async (directory) => (await runMosaik(['id', '--data-dir', directory])).stdout.trim()),
    );
    const startAll = async (ports: readonly string[]) => {
      const nodes: RunningNode[] = [];
      for (const [i, directory] of directories.entries()) {
        const bootstrap = nodes.flatMap(({ addresses }) => ['--bootstrap', addresses[0] as string]);
        const listen = ['--listen', ports[i] ?? '127.0.0.1:0'];
        nodes.push(
          await startNode(['--data-dir', directory, '--voters', ids.join(), ...listen, ...bootstrap]),
        );
      }
      return nodes;
    };
    const before = await startAll([]);
    await agreedLeader(before, 2);
    for (let i = 0; i < 20; i += 1) await before[i % 3]?.api.put(`key-${i}`, Buffer.from(`value-${i}`));
    for (const { child } of before) child.kill('SIGKILL');
    await Promise.all(before.map(({ outcome }) => outcome));

    const after = await startAll(before.map(({ addresses }) => addresses[0] as string));
    await agreedLeader(after, 2);
    for (let i = 0; i < 20; i += 1)
      expect(Buffer.from((await after[i % 3]?.api.get(`key-${i}`))?.value ?? []).toString()).toBe(
        `value-${i}`,
      );
    await expect(after[0]?.api.put('more', Buffer.from('x'))).resolves.toBeGreaterThan(20);
  });

  it('carries each request out once though the leader is killed before it answered', async () => {
    const nodes = await startGroup();
    const leader = await agreedLeader(nodes, 2);
    const led = nodes.find(({ peerId }) => peerId === leader) as RunningNode;
    const [near, far] = nodes.filter((node) => node !== led) as [RunningNode, RunningNode];
    const put = (node: RunningNode, i: number) =>
      fetch(new URL(`/v1/kv/key-${i}`, node.http), {
        method: 'PUT',
        body: `value-${i}`,
        headers: { 'Idempotency-Key': `request-${i}` },
      });
    const numbers = Array.from({ length: 60 }, (_, i) => i);
    // Some are committed when the leader dies, some are on their way to it, some have not left.
    const asked = numbers.map(async (i) => {
      if (i === 40) led.child.kill('SIGKILL');
      const answer = await put(near, i);
      return { status: answer.status, body: await answer.text() };
    });
    const first = await Promise.all(asked);
    await agreedLeader([near, far], 1);
    for (const i of numbers) {
      const answers = await Promise.all([put(far, i), put(near, i)]);
      const bodies = await Promise.all(answers.map((answer) => answer.text()));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      // Nothing was written by the repetition: where the first was answered, it is that very write.
      if (first[i]?.status === 200) expect(bodies).toEqual([first[i].body, first[i].body]);
      const { index } = JSON.parse(bodies[0] as string) as { index: number };
      expect(bodies).toEqual([bodies[0], bodies[0]]);
      expect(await near.api.get(`key-${i}`)).toEqual({
        value: new Uint8Array(Buffer.from(`value-${i}`)),
        index,
      });
    }
    expect((await put(far, 0)).status).toBe(200);
    const other = await fetch(new URL('/v1/kv/key-1', far.http), {
      method: 'PUT',
      body: 'other',
      headers: { 'Idempotency-Key': 'request-0' },
    });
    expect([other.status, await other.json()]).toMatchObject([422, { error: 'key-reused' }]);
  });

  it('does not share its data directory with another process', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const first = await startNode(['--data-dir', directory]);
    const second = await runMosaik(
      ['up', '--network', 'test', '--data-dir', directory, '--http', '127.0.0.1:0', '--log-level', 'silent'],
      { env: { MOSAIK_GROUP_KEY: KEY } },
    );
    expect(second.code).toBe(2);
    expect(second.stderr).toBe(
      `mosaik: --data-dir ${JSON.stringify(directory)}: another process uses ${directory}\n`,
    );
    first.child.kill('SIGKILL');
    await first.outcome;
    await startNode(['--data-dir', directory]);
  });

  it('starts again after every SIGKILL, over the lock that the one before left', async () => {
    const directory = join(temporaryDirectory(), 'data');
    for (let life = 0; life < 3; life += 1) {
      const node = await startNode(['--data-dir', directory]);
      node.child.kill('SIGKILL');
      await node.outcome;
    }
  });

  it('refuses a log that is damaged, or of another group, before it is ready, and names what and where', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const first = await startNode(['--data-dir', directory]);
    await vi.waitFor(async () => expect((await first.api.status()).online).toBe(true), WAIT);
    first.child.kill('SIGKILL');
    await first.outcome;
    const args = ['up', '--network', 'test', '--data-dir', directory, '--http', '127.0.0.1:0'];
    const foreign = await runMosaik([...args, '--listen', '127.0.0.1:0'], {
      env: { MOSAIK_GROUP_KEY: 'cd'.repeat(32) },
    });
    expect([foreign.code, foreign.stdout]).toEqual([2, '']);
    expect(foreign.stderr).toContain(`mosaik: --data-dir ${JSON.stringify(directory)}: `);
    expect(foreign.stderr).toContain('holds the log of another group');
    const segment = join(directory, 'log', '00000001.log');
    const bytes = readFileSync(segment);
    bytes[70] = (bytes[70] ?? 0) ^ 1;
    writeFileSync(segment, bytes);
    const damaged = await runMosaik([...args, '--listen', '127.0.0.1:0'], { env: { MOSAIK_GROUP_KEY: KEY } });
    expect([damaged.code, damaged.stdout]).toEqual([2, '']);
    expect(damaged.stderr).toContain(
      `--data-dir ${JSON.stringify(directory)}: ${segment} is damaged at byte`,
    );
  });

  it('takes everything from a file and the environment too', async () => {
    const config = join(temporaryDirectory(), 'node.json');
    writeFileSync(
      config,
      JSON.stringify({ network: 'from-file', http: '127.0.0.1:0', listen: '127.0.0.1:0' }),
    );
    const node = startMosaik(['up', '--json'], { env: { MOSAIK_CONFIG: config, MOSAIK_GROUP_KEY: KEY } });
    expect(await readyLine(node)).toMatchObject({ network: 'from-file' });
  });

  it('wants its token from everyone who has one to give', async () => {
    const token = 'correct-horse-battery';
    const { http } = await startNode([], { MOSAIK_HTTP_TOKEN: token });
    expect((await fetch(`${http}/v1/status`)).status).toBe(401);
    const { code } = await runMosaik(['status', '--http', http], { env: { MOSAIK_HTTP_TOKEN: token } });
    expect(code).toBe(0);
  });

  it('leaves in order on SIGTERM: the leader exits with 0 and the others elect', async () => {
    const nodes = await startGroup();
    const leaderId = await agreedLeader(nodes, 2);
    const leader = nodes.find(({ peerId }) => peerId === leaderId) as RunningNode;
    const others = nodes.filter((node) => node !== leader);
    leader.child.kill('SIGTERM');
    expect(await leader.outcome).toMatchObject({ code: 0, signal: null });
    const next = await agreedLeader(others, 1);
    expect(next).not.toBe(leaderId);
    await expect((others[0] as RunningNode).api.put('after', Buffer.from('x'))).resolves.toBeGreaterThan(0);
    const logs = (await leader.outcome).stderr.trim().split('\n');
    expect(logs.map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain('stopped');
    expect(logs.join()).not.toContain(KEY);
  });

  it('exits at once on a second signal', async () => {
    const { child, outcome, http } = await startNode();
    // A request that never ends keeps the node from finishing within its grace of a second.
    const { host, hostname, port } = new URL(http);
    const socket = connect(Number(port), hostname).on('error', () => {});
    socket.write(
      `PUT /v1/kv/k HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n`,
    );
    await once(socket, 'data');
    // Stopped in between, so that both signals are there when it goes on.
    for (const signal of ['SIGSTOP', 'SIGTERM', 'SIGINT', 'SIGCONT'] as const) child.kill(signal);
    expect([128 + 2, 128 + 15]).toContain((await outcome).code);
  });
});

describe('mosaik demo', { timeout: 120_000 }, () => {
  it.each(['quic', 'tls'])(
    '--once forms a group, fails over, and brings the killed node back, with real processes over %s',
    async (transport) => {
      const { code, stdout, stderr } = await runMosaik(['demo', '--once', '--transport', transport]);
      expect([code, stderr]).toEqual([0, '']);
      const steps = stdout.split('\n').map((line) => line.slice(0, 36).trim());
      expect(steps).toEqual(
        expect.arrayContaining([
          'mesh formed',
          'leader elected',
          'write through a follower',
          'read back from every member',
          'leader killed',
          'new leader',
          'next write committed',
          'killed member restarted',
          'caught up',
          'all states equal',
        ]),
      );
      const times = stdout
        .trim()
        .split('\n')
        .map((line) => / (\d+) ms {2}/.exec(line)?.[1]);
      expect(times.every((time) => time !== undefined)).toBe(true);
    },
  );

  it('says what failed, with the last words of every node, and exits with 1', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'group.key'), 'no key');
    const { code, stderr } = await runMosaik(['demo', '--once', '--data-dir', directory]);
    expect(code).toBe(1);
    expect(stderr).toContain('--- node 1, ');
    expect(stderr).toMatch(/\nmosaik: processes started: node 1 ended with code 2: mosaik: --key-file .*\n$/);
  });

  it('ends its nodes, and removes what was temporary, on Ctrl-C', async () => {
    const directory = temporaryDirectory();
    const demo = startMosaik(['demo', '--nodes', '2'], { env: { TMPDIR: directory }, detached: true });
    const pids = await nodePids(demo);
    // As a terminal does it: to the whole process group.
    process.kill(-(demo.child.pid as number), 'SIGINT');
    expect(await demo.outcome).toMatchObject({ code: 0, stderr: '' });
    expect(pids.filter(isAlive)).toEqual([]);
    expect(statSync(directory).nlink).toBe(2);
  });

  it('takes its nodes with it when it is killed', async () => {
    const demo = startMosaik(['demo', '--nodes', '2'], { env: { TMPDIR: temporaryDirectory() } });
    const pids = await nodePids(demo);
    demo.child.kill('SIGKILL');
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), WAIT);
  });
});

/** What a node says once it is ready. */
async function readyLine({ printed }: MosaikProcess): Promise<unknown> {
  return JSON.parse((await printed(/^(.*)\n/))[1] ?? '');
}

/** The process ids of its nodes that a demo prints. */
async function nodePids({ printed }: MosaikProcess): Promise<number[]> {
  const { input } = await printed(/Ctrl-C/);
  return [...input.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
