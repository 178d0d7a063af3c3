import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Connection, type Endpoint, type Link, SecretKey } from '@mosaik/transport';
import { quicTransport } from '@mosaik/transport/quic';
import { NativeStreams } from '@mosaik/transport/testing';
import { tlsTransport } from '@mosaik/transport/tls';
import type { Bench, BenchContext } from '../lib/bench.ts';

const ALPN = '/soak/1';
const DESCRIPTORS = 1024;
/** In so many parts, with a sample after each: what leaks grows in every one. */
const PARTS = 4;
const transports = { quic: quicTransport, tls: tlsTransport };
/** Smaller counts, for a quick look: MOSAIK_SOAK_CYCLES, MOSAIK_SOAK_MESSAGES. */
const CYCLES = Number(process.env.MOSAIK_SOAK_CYCLES ?? 10_000);
const MESSAGES = Number(process.env.MOSAIK_SOAK_MESSAGES ?? 10_000_000);
const MESSAGE_BYTES = 64;
const BATCH = 1000;

/** What the process holds. */
interface Sample {
  transport: string;
  cycles: number;
  messages: number;
  rssBytes: number;
  /** What V8 holds of it, buffers included. */
  heapBytes: number;
  descriptors: number;
  /** Not closed yet. Each native one holds a descriptor until it is collected. */
  connections: number;
  /** Links that one connection has opened, used and finished since the last sample, while another one lasted. */
  links: number;
  /** Streams that the QUIC library then still had in the tables of both ends: the lasting link's two, and what leaks. */
  streamsHeld?: number;
}

// One process is both ends: what either of them leaks shows.
async function soak(name: keyof typeof transports): Promise<void> {
  const listen = () =>
    transports[name].listen({ secretKey: SecretKey.generate(), host: '127.0.0.1', alpns: [ALPN] });
  const [a, b] = [await listen(), await listen()];
  const inbound = b.inbound(ALPN)[Symbol.asyncIterator]();
  let cycles = 0;
  let messages = 0;
  const live = new Set<Connection>();
  let links = 0;
  let streamsHeld: number | undefined;
  const sample = async () => {
    await collect();
    const memory = process.memoryUsage();
    const said: Sample = {
      transport: name,
      cycles,
      messages,
      rssBytes: memory.rss,
      heapBytes: memory.heapUsed + memory.external,
      descriptors: process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0,
      connections: live.size,
      links,
      ...(streamsHeld === undefined ? {} : { streamsHeld }),
    };
    links = 0;
    console.log(JSON.stringify(said));
  };

  const connect = async (): Promise<[Connection, Connection]> => {
    const [ours, theirs] = await Promise.all([dial(a, b), inbound.next()]);
    const pair: [Connection, Connection] = [ours, theirs.value as Connection];
    for (const connection of pair) {
      live.add(connection);
      void connection.closed.then(() => live.delete(connection));
    }
    return pair;
  };

  const cycle = async () => {
    const [ours, theirs] = await connect();
    const link = await ours.openLink();
    await link.send(new Uint8Array(MESSAGE_BYTES));
    const peer = await theirs.acceptLink();
    const frame = await peer.receive();
    if (frame) await peer.send(frame);
    await link.receive();
    await ours.close(0);
    await theirs.closed;
    cycles += 1;
  };

  /** So many messages through a link, whose other end it gives. */
  const pass = async (link: Link, accept: () => Promise<Link>, count: number): Promise<Link> => {
    const message = new Uint8Array(MESSAGE_BYTES);
    const writing = (async () => {
      for (let i = 0; i < count; i += 1) if (!link.write(message)) await link.drained();
    })();
    const peer = await accept();
    for (let left = count; left > 0; ) {
      const frames = await peer.receiveBatch();
      if (frames.length === 0) throw new Error(`${left} messages are missing`);
      left -= frames.length;
      messages += frames.length;
    }
    await writing;
    return peer;
  };

  const finish = async (...ends: readonly Link[]) => {
    await Promise.all(ends.map((end) => end.close()));
    for (const end of ends) if ((await end.receive()) !== undefined) throw new Error('a message too many');
  };

  /** Messages over one connection: half of them through a link that lasts, the others through links of their own. */
  const converse = async (until: number) => {
    const native = name === 'quic' ? await NativeStreams.watch() : undefined;
    const [ours, theirs] = await connect();
    const lasting = await ours.openLink();
    const lastingPeer = await pass(lasting, () => theirs.acceptLink(), 1);
    while (messages < until) {
      await pass(lasting, async () => lastingPeer, Math.min(BATCH, until - messages));
      const link = await ours.openLink();
      await finish(link, await pass(link, () => theirs.acceptLink(), Math.min(BATCH, until - messages)));
      links += 1;
    }
    await collect();
    streamsHeld = native?.count(links + 2);
    native?.stop();
    await finish(lasting, lastingPeer);
    await ours.close(0);
    await theirs.closed;
  };

  // What the runtime needs once is not a leak.
  for (let i = 0; i < Math.min(300, CYCLES); i += 1) await cycle();
  cycles = 0;
  await converse(Math.min(100_000, MESSAGES));
  messages = 0;
  links = 0;
  streamsHeld = undefined;
  await sample();
  for (let part = 1; part <= PARTS; part += 1) {
    while (cycles < (CYCLES * part) / PARTS) await cycle();
    await converse((MESSAGES * part) / PARTS);
    await sample();
  }
  await a.close();
  await b.close();
  process.exit(0);
}

async function dial(from: Endpoint, to: Endpoint): Promise<Connection> {
  return from.connect(to.addresses[0] ?? '', ALPN, { expect: to.id });
}

/**
 * The bench starts it with the collector exposed, so that samples show what is held and not what waits. Finalizers run
 * between collections, and what they let go is found by the next.
 */
async function collect(): Promise<void> {
  for (let i = 0; i < 5; i += 1) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function run(context: BenchContext): Promise<void> {
  for (const name of ['quic', 'tls'] as const) await runOver(name, context);
}

async function runOver(name: keyof typeof transports, { report }: BenchContext): Promise<void> {
  const startedMs = performance.now();
  const command = `ulimit -n ${DESCRIPTORS} && exec "$0" --expose-gc "$1"`;
  const child = spawn('/bin/sh', ['-c', command, process.execPath, fileURLToPath(import.meta.url)], {
    env: { ...process.env, MOSAIK_BENCH_ROLE: name },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8');
  let part = 0;
  const samples: Sample[] = [];
  child.stdout.on('data', (text: string) => {
    output += text;
    for (let end = output.indexOf('\n'); end >= 0; end = output.indexOf('\n')) {
      const said = JSON.parse(output.slice(0, end)) as Sample;
      output = output.slice(end + 1);
      samples.push(said);
      const when = part === 0 ? 'start' : `${part} of ${PARTS}`;
      part += 1;
      const row = (what: string, value: number, unit: string) =>
        report({ metric: `${name} ${when}: ${what}`, value, unit });
      row('cycles', said.cycles, '');
      row('messages', said.messages, '');
      row('RSS', said.rssBytes / 1e6, 'MB');
      row('heap and buffers in use', said.heapBytes / 1e6, 'MB');
      row('descriptors', said.descriptors, '');
      row('connections open', said.connections, '');
      row('links of one connection', said.links, '');
      if (said.streamsHeld !== undefined) row('streams in the library, one link open', said.streamsHeld, '');
    }
  });
  const status = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  report({ metric: `${name} time`, value: (performance.now() - startedMs) / 1000, unit: 's' });
  if (status !== 0) throw new Error(`the soak ended with ${status}`);
  // The first half fills the allocator's memory and V8's heap, once; what leaks goes on in the second.
  const [half, end] = [samples[PARTS / 2], samples[PARTS]];
  if (half && end && end.cycles > half.cycles) {
    const value = ((end.rssBytes - half.rssBytes) / 1e6 / (end.cycles - half.cycles)) * 10_000;
    report({ metric: `${name} RSS growth per 10 000 cycles in the last half`, value, unit: 'MB' });
  }
}

/** Leaks: connect–exchange–close cycles and messages under 1 024 descriptors, both ends in one process. */
export const bench: Bench = {
  name: 'soak',
  roles: { quic: () => soak('quic'), tls: () => soak('tls') },
  run,
};
