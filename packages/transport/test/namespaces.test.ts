import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '@mosaik/tooling-config/bundle';
import { CloseCode } from '@mosaik/wire';
import { systemClock } from '@mosaik/wire/runtime';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Order, Report, transports } from './namespace-peer.ts';

type TransportName = keyof typeof transports;

const HOSTS = ['10.213.7.1', '10.213.7.2'] as const;
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
const IDLE_MS = 1000;
/** What a close waits for, a second each: what was written, the stream to take the close, the peer's goodbye. */
const CLOSE_MS = 3000;
/** A keep-alive may be under way when the link goes; the rest is for busy machines. */
const SLACK_MS = 3000;
const obstacle = whyNot();
// Inside of the package: the bundle looks for the library's binary from where it lies.
let directory = '';
const peerFile = () => join(directory, 'peer.mjs');

beforeAll(async () => {
  if (obstacle !== undefined) return;
  directory = mkdtempSync(fileURLToPath(new URL('.namespaces-', import.meta.url)));
  await bundle({
    entryPoints: [fileURLToPath(new URL('namespace-peer.ts', import.meta.url))],
    outfile: peerFile(),
    logLevel: 'silent',
  });
});

afterAll(() => {
  if (directory) rmSync(directory, { recursive: true, force: true });
});

function whyNot(): string | undefined {
  const name = `mosaik-probe-${randomBytes(4).toString('hex')}`;
  try {
    ip('netns', 'add', name);
  } catch (error) {
    return (error as Error).message.trim();
  }
  try {
    ip('-n', name, 'link', 'add', 'veth', 'type', 'veth');
    return undefined;
  } catch (error) {
    return (error as Error).message.trim();
  } finally {
    ip('netns', 'del', name);
  }
}

/** A process in a namespace. */
class Peer {
  readonly #child: ChildProcess;
  readonly #reports: Report[] = [];
  #wake: () => void = () => {};
  /** How many messages came back. */
  echoed = 0;

  constructor(namespace: string, ...args: readonly string[]) {
    const command = ['netns', 'exec', namespace, process.execPath, peerFile(), ...args];
    this.#child = spawn('ip', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (said: Report) => {
      this.#reports.push(said);
      if (said.type === 'echoed') this.echoed = said.count;
      this.#wake();
    });
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  /** The next report that is as wanted; others before it are dropped. */
  async until<T extends Report['type']>(
    type: T,
    wanted: (said: Extract<Report, { type: T }>) => boolean = () => true,
  ): Promise<Extract<Report, { type: T }>> {
    for (;;) {
      for (let said = this.#reports.shift(); said; said = this.#reports.shift()) {
        if (said.type === type && wanted(said as Extract<Report, { type: T }>))
          return said as Extract<Report, { type: T }>;
        if (said.type === 'failed') throw new Error(`the exchange failed: ${JSON.stringify(said)}`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Closes the endpoint: how the process ended then, by itself. */
  async close(): Promise<number | null> {
    const gone = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.order({ type: 'close' });
    return gone;
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await gone;
  }
}

interface Ends {
  client: Peer;
  server: Peer;
  address: string;
  /** The `ip` command in the client's namespace, whose interface is `veth`. */
  inClient: (...args: string[]) => void;
}

/** Two namespaces joined by a pair of virtual interfaces, a peer in each. */
async function withNamespaces(
  transport: TransportName,
  idleTimeoutMs: number,
  body: (ends: Ends) => Promise<void>,
): Promise<void> {
  const run = randomBytes(4).toString('hex');
  const names = [`mosaik-${run}-a`, `mosaik-${run}-b`] as const;
  const peers: Peer[] = [];
  const made: string[] = [];
  // Not a finally: a test that runs out of time does not come to it.
  onTestFinished(async () => {
    for (const peer of peers) await peer.stop();
    for (const name of made) ip('netns', 'del', name);
  });
  for (const name of names) {
    ip('netns', 'add', name);
    made.push(name);
  }
  ip('-n', names[0], 'link', 'add', 'veth', 'type', 'veth', 'peer', 'name', 'veth', 'netns', names[1]);
  for (const [index, name] of names.entries()) {
    ip('-n', name, 'addr', 'add', `${HOSTS[index]}/24`, 'dev', 'veth');
    ip('-n', name, 'link', 'set', 'veth', 'up');
  }
  for (const [index, name] of names.entries())
    peers.push(new Peer(name, transport, HOSTS[index] ?? '', String(idleTimeoutMs)));
  const [client, server] = peers as [Peer, Peer];
  const [{ address }] = await Promise.all([server.until('listening'), client.until('listening')]);
  await body({ client, server, address, inClient: (...args) => void ip('-n', names[0], ...args) });
}

function itInNamespaces(name: string, body: () => Promise<void>): void {
  it(name, async ({ skip }) => {
    skip(obstacle !== undefined, `network namespaces cannot be used here: ${obstacle}`);
    await body();
  });
}

const pause = (ms: number) => new Promise<void>((resolve) => void systemClock.schedule(ms, resolve));

const outages: [string, string[][], string[][]][] = [
  ['link is down', [['link', 'set', 'veth', 'down']], [['link', 'set', 'veth', 'up']]],
  [
    'address is away',
    [['addr', 'del', `${HOSTS[0]}/24`, 'dev', 'veth']],
    [['addr', 'add', `${HOSTS[0]}/24`, 'dev', 'veth']],
  ],
];

for (const transport of ['quic', 'tls'] as const) {
  for (const [what, begin, end] of outages) {
    itInNamespaces(
      `${transport} brings every message once and in order although the ${what} for a while, and dials again`,
      () =>
        withNamespaces(transport, 15_000, async ({ client, address, inClient }) => {
          client.order({ type: 'exchange', address, count: 6000 });
          await client.until('echoed', ({ count }) => count >= 100);
          for (const args of begin) inClient(...args);
          client.order({ type: 'dial', address });
          expect((await client.until('dialled')).error).toBe('unavailable');
          await pause(600);
          expect(client.echoed).toBeLessThan(6000);
          for (const args of end) inClient(...args);
          await client.until('echoed', ({ count }) => count === 6000);
          client.order({ type: 'dial', address });
          expect((await client.until('dialled')).error).toBeUndefined();
        }),
    );
  }

  itInNamespaces(
    `${transport} ends both sides with 30408 when the link is down for longer than the idle timeout, and dials when it is back`,
    () =>
      withNamespaces(transport, IDLE_MS, async ({ client, server, address, inClient }) => {
        client.order({ type: 'exchange', address, count: 1_000_000 });
        await client.until('echoed', ({ count }) => count >= 20);
        inClient('link', 'set', 'veth', 'down');
        const downSinceMs = performance.now();
        const ends = await Promise.all([client.until('ended'), server.until('ended')]);
        expect(performance.now() - downSinceMs).toBeLessThan(IDLE_MS + SLACK_MS);
        expect(ends.map(({ code }) => code)).toEqual([CloseCode.Timeout, CloseCode.Timeout]);
        expect(await client.until('failed')).toMatchObject({ code: 'closed', closeCode: CloseCode.Timeout });
        inClient('link', 'set', 'veth', 'up');
        client.order({ type: 'dial', address });
        expect((await client.until('dialled')).error).toBeUndefined();
      }),
  );

  itInNamespaces(
    `${transport} closes an endpoint whose link is down within seconds, and nothing keeps its process`,
    () =>
      withNamespaces(transport, IDLE_MS, async ({ client, server, address, inClient }) => {
        client.order({ type: 'exchange', address, count: 1_000_000 });
        await client.until('echoed', ({ count }) => count >= 20);
        inClient('link', 'set', 'veth', 'down');
        const downSinceMs = performance.now();
        expect(await Promise.all([client.close(), server.close()])).toEqual([0, 0]);
        expect(await client.until('failed')).toMatchObject({ code: 'closed' });
        expect(performance.now() - downSinceMs).toBeLessThan(CLOSE_MS + SLACK_MS);
      }),
  );
}
