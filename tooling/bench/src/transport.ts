import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { cpus } from 'node:os';
import { type TLSSocket, connect as tlsConnect, createServer as tlsServer } from 'node:tls';
import { type Link, SecretKey } from '@mosaik/transport';
import { createQuicTransport, quicTransport } from '@mosaik/transport/quic';
import { createCertificate } from '@mosaik/transport/testing';
import { tlsTransport } from '@mosaik/transport/tls';
import { BareQuic } from '../lib/bare-quic.ts';
import { type Bench, type BenchContext, type Child, median, type Parent, percentile } from '../lib/bench.ts';

const ALPN = '/bench/1';
const ECHO_BYTES = 64;
const CHUNK_BYTES = 64 * 1024;
const ROUNDS = 5;
/** V8 compiles for the first ten thousand or so, on threads that want a core meanwhile. */
const WARM_UP = 20_000;
const WARM_UP_MS = 1500;
const ECHOES = 4000;
const ECHOES_MS = 1000;

/** What a peer offers to the measurement: an echo of 64 bytes, and a sink that answers when it has everything. */
interface Session {
  echo(): Promise<void>;
  pump(chunks: number): Promise<void>;
  close(): Promise<void>;
}

interface Peer {
  readonly name: string;
  readonly role: string;
  readonly chunks: number;
  open(target: Target): Promise<Session>;
}

interface Target {
  port: number;
  id?: string;
  certificate?: string;
}

// Ours: frames over a Link.

const BUSY_POLL_MS = 1;
const transports = {
  quic: quicTransport,
  awake: createQuicTransport({ busyPollMs: BUSY_POLL_MS }),
  tls: tlsTransport,
};

interface OurSetting {
  transport: keyof typeof transports;
  datagramBytes: number;
}

async function ourServer(parent: Parent): Promise<void> {
  const { transport, datagramBytes } = await parent.next<OurSetting>();
  const init = {
    secretKey: SecretKey.generate(),
    host: '127.0.0.1',
    alpns: [ALPN],
    loopbackDatagramBytes: datagramBytes,
  };
  const endpoint = await transports[transport].listen(init);
  parent.send({ port: Number(endpoint.addresses[0]?.split(':')[1]) });
  const serve = async (link: Link) => {
    let left = 0;
    for (let frames = await link.receiveBatch(); frames.length > 0; frames = await link.receiveBatch()) {
      for (const frame of frames) {
        if (frame.length === ECHO_BYTES) link.write(frame);
        else if (frame.length === 4) left = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
        else if (--left === 0) link.write(Uint8Array.of(1));
      }
    }
  };
  for await (const connection of endpoint.inbound(ALPN)) {
    void connection
      .acceptLink()
      .then(serve)
      .catch(() => {});
  }
}

function ours(start: (role: string) => Child, name: string, setting: OurSetting): Peer {
  const { transport, datagramBytes } = setting;
  return {
    name,
    role: 'ours',
    chunks: datagramBytes > 1350 ? 4096 : 1536,
    open: async () => {
      const server = start('ours');
      server.send(setting);
      const { port } = await server.next<Target>();
      const init = {
        secretKey: SecretKey.generate(),
        host: '127.0.0.1',
        alpns: [ALPN],
        loopbackDatagramBytes: datagramBytes,
      };
      const endpoint = await transports[transport].listen(init);
      const connection = await endpoint.connect(`127.0.0.1:${port}`, ALPN);
      const link = await connection.openLink();
      const small = new Uint8Array(ECHO_BYTES);
      const chunk = new Uint8Array(CHUNK_BYTES);
      return {
        echo: async () => {
          link.write(small);
          await link.receive();
        },
        pump: async (chunks) => {
          const count = new Uint8Array(4);
          new DataView(count.buffer).setUint32(0, chunks);
          link.write(count);
          for (let i = 0; i < chunks; i += 1) if (!link.write(chunk)) await link.drained();
          await link.receive();
        },
        close: async () => {
          await endpoint.close();
          await server.stop();
        },
      };
    },
  };
}

// The package's own API. It logs every event unless told otherwise; that would not be fair.

interface Silence {
  getChild(): Silence;
  debug(): void;
  info(): void;
  warn(): void;
  error(): void;
}
const silence: Silence = { getChild: () => silence, debug() {}, info() {}, warn() {}, error() {} };

async function highLevelServer(parent: Parent): Promise<void> {
  const { QUICServer, events } = await import('@matrixai/quic');
  const secretKey = SecretKey.generate();
  const server = new QUICServer({
    logger: silence as never,
    crypto: {
      key: new ArrayBuffer(32),
      ops: { sign: async () => new ArrayBuffer(32), verify: async () => true },
    },
    config: {
      key: secretKey.exportPem(),
      cert: createCertificate(secretKey),
      verifyPeer: false,
      maxIdleTimeout: 60_000,
    },
  });
  server.addEventListener(events.EventQUICConnectionStream.name, (event: Event) => {
    const { readable, writable } = (event as InstanceType<typeof events.EventQUICConnectionStream>).detail;
    void (async () => {
      const writer = writable.getWriter();
      let left = -1;
      for await (const data of readable as unknown as AsyncIterable<Uint8Array>) {
        let rest = data;
        if (left < 0) {
          left = new DataView(rest.buffer, rest.byteOffset).getUint32(0);
          rest = rest.subarray(4);
        }
        if (left === 0) {
          if (rest.length > 0) await writer.write(rest);
        } else {
          left -= rest.length;
          if (left === 0) await writer.write(Uint8Array.of(1));
        }
      }
    })().catch(() => {});
  });
  await server.start({ host: '127.0.0.1' });
  parent.send({ port: server.port });
}

function highLevel(start: (role: string) => Child): Peer {
  return {
    name: '@matrixai/quic high-level',
    role: 'highLevel',
    chunks: 32,
    open: async () => {
      const { QUICClient } = await import('@matrixai/quic');
      const server = start('highLevel');
      const { port } = await server.next<Target>();
      const client = await QUICClient.createQUICClient({
        host: '127.0.0.1',
        port,
        localHost: '127.0.0.1',
        logger: silence as never,
        crypto: { ops: { randomBytes: async (data) => void crypto.getRandomValues(new Uint8Array(data)) } },
        config: { verifyPeer: false, maxIdleTimeout: 60_000 },
      });
      const stream = (bytes: number) => {
        const { readable, writable } = client.connection.newStream();
        const head = new Uint8Array(4);
        new DataView(head.buffer).setUint32(0, bytes);
        return { reader: readable.getReader(), writer: writable.getWriter(), head };
      };
      const echo = stream(0);
      await echo.writer.write(echo.head);
      const small = new Uint8Array(ECHO_BYTES);
      const chunk = new Uint8Array(CHUNK_BYTES);
      return {
        echo: async () => {
          void echo.writer.write(small);
          for (let got = 0; got < ECHO_BYTES; ) got += (await echo.reader.read()).value?.length ?? 0;
        },
        pump: async (chunks) => {
          const sink = stream(chunks * CHUNK_BYTES);
          await sink.writer.write(sink.head);
          for (let i = 0; i < chunks; i += 1) await sink.writer.write(chunk);
          await sink.reader.read();
        },
        close: async () => {
          await client.destroy({ force: true }).catch(() => {});
          await server.stop();
        },
      };
    },
  };
}

// TLS over TCP.

async function tlsEcho(parent: Parent): Promise<void> {
  const secretKey = SecretKey.generate();
  const server = tlsServer({
    key: secretKey.exportPem(),
    cert: createCertificate(secretKey),
    minVersion: 'TLSv1.3',
  });
  server.on('secureConnection', (socket) => {
    socket.setNoDelay(true);
    let left = -1;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      let rest: Uint8Array = data;
      if (left < 0) {
        left = data.readUInt32BE(0);
        rest = data.subarray(4);
      }
      if (left === 0) socket.write(rest);
      else {
        left -= rest.length;
        if (left === 0) socket.write(Uint8Array.of(1));
      }
    });
  });
  server.listen(0, '127.0.0.1', () => parent.send({ port: (server.address() as { port: number }).port }));
}

function tls(start: (role: string) => Child): Peer {
  return {
    name: 'tls',
    role: 'tls',
    chunks: 4096,
    open: async () => {
      const server = start('tls');
      const { port } = await server.next<Target>();
      const socket = async (bytes: number): Promise<TLSSocket> => {
        const opened = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false });
        await new Promise<void>((resolve) => opened.once('secureConnect', resolve));
        opened.setNoDelay(true);
        const head = Buffer.alloc(4);
        head.writeUInt32BE(bytes);
        opened.write(head);
        return opened;
      };
      const echo = await socket(0);
      const small = new Uint8Array(ECHO_BYTES);
      const chunk = new Uint8Array(CHUNK_BYTES);
      let got = 0;
      let done = () => {};
      echo.on('data', (data) => {
        got += data.length;
        if (got < ECHO_BYTES) return;
        got = 0;
        done();
      });
      return {
        echo: () =>
          new Promise((resolve) => {
            done = resolve;
            echo.write(small);
          }),
        pump: async (chunks) => {
          const sink = await socket(chunks * CHUNK_BYTES);
          const answered = new Promise((resolve) => sink.once('data', resolve));
          for (let i = 0; i < chunks; i += 1) {
            if (!sink.write(chunk)) await new Promise<void>((resolve) => sink.once('drain', resolve));
          }
          await answered;
          sink.destroy();
        },
        close: async () => {
          echo.destroy();
          await server.stop();
        },
      };
    },
  };
}

// The QUIC library itself: the floor of a round trip over it.

async function bareEcho(parent: Parent): Promise<void> {
  const { port } = await BareQuic.bind((bytes, bare) => bare.send(bytes));
  parent.send({ port });
}

function bareQuic(start: (role: string) => Child): Peer {
  return {
    name: 'bare loop on the binding',
    role: 'bareQuic',
    chunks: 0,
    open: async () => {
      const server = start('bareQuic');
      const { port } = await server.next<Target>();
      let done = () => {};
      const bare = await BareQuic.bind(() => done());
      await bare.connect(port);
      const small = new Uint8Array(ECHO_BYTES);
      return {
        echo: () =>
          new Promise((resolve) => {
            done = resolve;
            bare.send(small);
          }),
        pump: async () => {},
        close: async () => {
          bare.close();
          await server.stop();
        },
      };
    },
  };
}

// Bare UDP: the floor of a round trip.

async function udpEcho(parent: Parent): Promise<void> {
  const socket = createSocket({
    type: 'udp4',
    lookup: (host, _options, callback) => callback(null, host, 4),
  });
  socket.on('message', (data, source) => socket.send(data, source.port, source.address));
  socket.bind(0, '127.0.0.1', () => parent.send({ port: socket.address().port }));
}

function udp(start: (role: string) => Child): Peer {
  return {
    name: 'udp',
    role: 'udp',
    chunks: 0,
    open: async () => {
      const server = start('udp');
      const { port } = await server.next<Target>();
      const socket = createSocket({
        type: 'udp4',
        lookup: (host, _options, callback) => callback(null, host, 4),
      });
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
      const small = Buffer.alloc(ECHO_BYTES);
      let done = () => {};
      socket.on('message', () => done());
      return {
        echo: () =>
          new Promise((resolve) => {
            done = resolve;
            socket.send(small, port, '127.0.0.1');
          }),
        pump: async () => {},
        close: async () => {
          socket.close();
          await server.stop();
        },
      };
    },
  };
}

interface Result {
  p50Ms: number;
  p99Ms: number;
  megabytesPerSecond: number;
}

async function measure(session: Session, chunks: number): Promise<Result> {
  let megabytesPerSecond = Number.NaN;
  if (chunks > 0) {
    await session.pump(Math.ceil(chunks / 8));
    const startedMs = performance.now();
    await session.pump(chunks);
    megabytesPerSecond = (chunks * CHUNK_BYTES) / 1000 / (performance.now() - startedMs);
  }
  await echoes(session, WARM_UP, WARM_UP_MS);
  const times = await echoes(session, ECHOES, ECHOES_MS);
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99), megabytesPerSecond };
}

/** Sorted round trip times, of so many or as many as that time allows. */
async function echoes(session: Session, count: number, limitMs: number): Promise<Float64Array> {
  const times = new Float64Array(count);
  const endMs = performance.now() + limitMs;
  let done = 0;
  for (let nowMs = performance.now(); done < count && nowMs < endMs; done += 1) {
    await session.echo();
    const thenMs = performance.now();
    times[done] = thenMs - nowMs;
    nowMs = thenMs;
  }
  return times.subarray(0, done).sort();
}

/**
 * Each of the two processes keeps to a core of its own, where the host lets us say so. Left alone, the scheduler puts
 * both ends of some pairs on one core and of others on two, which alone makes a factor of four for a small round trip.
 */
function pin(pid: number, core: number): void {
  if (cpus().length > 1) spawnSync('taskset', ['-a', '-c', '-p', `${core}`, `${pid}`]);
}

async function pinned(parent: Parent, role: (parent: Parent) => Promise<void>): Promise<void> {
  pin(process.pid, 1);
  await role(parent);
}

async function run({ report, start }: BenchContext): Promise<void> {
  pin(process.pid, 0);
  const peers = [
    ours(start, 'ours 1350', { transport: 'quic', datagramBytes: 1350 }),
    ours(start, 'ours large', { transport: 'quic', datagramBytes: 16_383 }),
    { ...ours(start, 'ours awake', { transport: 'awake', datagramBytes: 1350 }), chunks: 0 },
    ours(start, 'ours tls', { transport: 'tls', datagramBytes: 16_383 }),
    highLevel(start),
    tls(start),
    bareQuic(start),
    udp(start),
  ];
  const results = new Map<string, Result[]>();
  // Rounds take turns, so that what else the machine does meets everyone.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const peer of peers) {
      const session = await peer.open({ port: 0 });
      const result = await measure(session, peer.chunks);
      await session.close();
      results.set(peer.name, [...(results.get(peer.name) ?? []), result]);
    }
  }
  const of = (name: string, key: keyof Result) =>
    median((results.get(name) ?? []).map((result) => result[key]));
  const compare = (
    metric: string,
    unit: string,
    mine: string,
    key: keyof Result,
    against: readonly string[],
  ) => {
    const value = of(mine, key);
    report({ metric, value, unit });
    for (const peer of against)
      report({ metric, value, unit, peer, ratio: value / of(peer, key), peerValue: of(peer, key) });
  };
  const others = ['@matrixai/quic high-level', 'tls'];
  const bare = 'bare loop on the binding';
  compare('round trip 64 B p50', 'ms', 'ours 1350', 'p50Ms', [...others, bare, 'udp']);
  compare('round trip 64 B p99', 'ms', 'ours 1350', 'p99Ms', [...others, bare, 'udp']);
  const awake = `busyPollMs ${BUSY_POLL_MS}`;
  compare(`round trip 64 B p50, ${awake}`, 'ms', 'ours awake', 'p50Ms', [...others, bare, 'udp']);
  compare(`round trip 64 B p99, ${awake}`, 'ms', 'ours awake', 'p99Ms', [...others, bare, 'udp']);
  compare(`round trip 64 B p50, ${bare}`, 'ms', bare, 'p50Ms', ['udp']);
  compare('throughput 64 KiB writes, 1350 B datagrams', 'MB/s', 'ours 1350', 'megabytesPerSecond', others);
  compare('throughput 64 KiB writes, large datagrams', 'MB/s', 'ours large', 'megabytesPerSecond', others);
  compare('round trip 64 B p50 over TLS', 'ms', 'ours tls', 'p50Ms', ['tls', 'udp']);
  compare('round trip 64 B p99 over TLS', 'ms', 'ours tls', 'p99Ms', ['tls', 'udp']);
  compare('throughput 64 KiB frames over TLS', 'MB/s', 'ours tls', 'megabytesPerSecond', ['tls']);
}

/** Ours over QUIC and over TLS, the same library's own API, TLS over TCP and bare UDP: two processes each, one run. */
export const bench: Bench = {
  name: 'transport',
  roles: {
    ours: (parent) => pinned(parent, ourServer),
    highLevel: (parent) => pinned(parent, highLevelServer),
    tls: (parent) => pinned(parent, tlsEcho),
    bareQuic: (parent) => pinned(parent, bareEcho),
    udp: (parent) => pinned(parent, udpEcho),
  },
  run,
};
