import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Connection, type Endpoint, type Link, SecretKey, TransportError } from '@mosaik/transport';
import { quicTransport } from '@mosaik/transport/quic';
import { UdpRelay } from '@mosaik/transport/testing';
import { seededRng } from '@mosaik/wire/testing';
import { createMutator } from './mutator.ts';

const ALPN = '/fuzz/1';
/** Connections that must live through everything. */
const LIVE = 4;
/** Real datagrams that changed ones are made of, the newest. */
const CORPUS = 256;
/** Datagrams between two looks at the live connections. */
const BATCH = 64;
/** Looks between two new connections, so that handshakes are among what is changed and repeated. */
const DIAL_EVERY = 8;
/** A round trip that takes longer counts as a harmed connection. */
const STALLED_MS = 10_000;

export interface QuicFuzzOptions {
  /** Decides the changes; the datagrams that they are made to hold keys that are new in every run. */
  seed: number;
  seconds: number;
  /** Stops after so many datagrams. */
  inputs?: number | undefined;
}

export interface QuicFuzzResult {
  inputs: number;
  /** Round trips of live connections that were as they should be. */
  roundTrips: number;
  /** Connections made meanwhile, and dials that failed with a code: forged replies can stop a handshake (RFC 9000 §21.1). */
  dials: number;
  failedDials: number;
  failure: { problem: string; datagrams: readonly string[] } | undefined;
}

interface Live {
  readonly connection: Connection;
  readonly link: Link;
}

/** Sends garbage and changed, cut and repeated real datagrams to two endpoints whose connections must not notice. */
export async function fuzzQuic(options: QuicFuzzOptions): Promise<QuicFuzzResult> {
  const mutator = createMutator(options.seed);
  const corpus: Uint8Array[] = [Uint8Array.of(0xc0, 0, 0, 0, 1, 8)];
  const problems: string[] = [];
  const onError = (error: unknown) => problems.push(`an exception escaped: ${String(error)}`);
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);

  const listen = () =>
    quicTransport.listen({
      secretKey: SecretKey.generate(),
      host: '127.0.0.1',
      alpns: [ALPN],
      loopbackDatagramBytes: 1350,
      handshakeTimeoutMs: 2000,
    });
  const [client, server] = [await listen(), await listen()];
  const port = Number(server.addresses[0]?.split(':')[1]);
  const relay = await UdpRelay.start({
    port,
    rng: seededRng(options.seed),
    onDatagram: (datagram) => {
      if (corpus.length < CORPUS) corpus.push(datagram);
      else corpus[mutator.below(CORPUS)] = datagram;
    },
  });
  const stranger = createSocket('udp4');
  stranger.bind(0, '127.0.0.1');
  await once(stranger, 'listening');
  void serve(server);

  const result = { inputs: 0, roundTrips: 0, dials: 0, failedDials: 0 };
  let sent: string[] = [];
  const send = () => {
    const real = mutator.below(4) === 0;
    const input = Buffer.from(
      real ? (corpus[mutator.below(corpus.length)] as Uint8Array) : mutator.next(corpus),
    );
    const way = mutator.below(3);
    if (way === 0) relay.inject(input, 'server');
    else if (way === 1) relay.inject(input, 'client');
    else if (input.length > 0) stranger.send(input, port, '127.0.0.1');
    sent.push(
      `${['client to server', 'server to client', 'stranger to server'][way]} ${input.toString('hex')}`,
    );
    result.inputs += 1;
  };

  const live: Live[] = [];
  try {
    for (let i = 0; i < LIVE; i += 1) live.push(await open(client, relay.address));
    const endMs = performance.now() + options.seconds * 1000;
    for (let look = 1; problems.length === 0; look += 1) {
      if (performance.now() >= endMs || result.inputs >= (options.inputs ?? Number.POSITIVE_INFINITY)) break;
      sent = [];
      const dialling = look % DIAL_EVERY === 0 ? open(client, relay.address) : undefined;
      dialling?.catch(() => {});
      for (let i = 0; i < BATCH; i += 1) send();
      for (const each of live) {
        const problem = await roundTrip(each, look);
        if (problem) problems.push(problem);
        else result.roundTrips += 1;
      }
      if (!dialling) continue;
      try {
        await (await dialling).connection.close(0);
        result.dials += 1;
      } catch (error) {
        result.failedDials += 1;
        if (!(error instanceof TransportError)) problems.push(`a dial fails with ${String(error)}`);
      }
    }
  } finally {
    await client.close();
    await server.close();
    relay.close();
    stranger.close();
    process.off('uncaughtException', onError);
    process.off('unhandledRejection', onError);
  }
  const [problem] = problems;
  return { ...result, failure: problem === undefined ? undefined : { problem, datagrams: sent } };
}

async function open(client: Endpoint, address: string): Promise<Live> {
  const connection = await client.connect(address, ALPN);
  return { connection, link: await connection.openLink() };
}

/** What is wrong with the connection, if anything. */
async function roundTrip({ link, connection }: Live, look: number): Promise<string | undefined> {
  const frame = Buffer.alloc(1500, look & 0xff);
  frame.writeUInt32BE(look);
  try {
    await link.send(frame);
    const answer = await link.receive({ signal: AbortSignal.timeout(STALLED_MS) });
    return answer && frame.equals(answer) ? undefined : 'a live connection answers something else';
  } catch (error) {
    const ended = await Promise.race([connection.closed, undefined]);
    return `a live connection was harmed: ${ended ? `${ended.code} ${ended.reason}` : String(error)}`;
  }
}

/** Echoes every link until the endpoint closes. */
async function serve(server: Endpoint): Promise<void> {
  for await (const connection of server.inbound(ALPN)) {
    void (async () => {
      const link = await connection.acceptLink();
      for (let frame = await link.receive(); frame; frame = await link.receive()) await link.send(frame);
    })().catch(() => {
      // The connection ended; whether it should have is seen at the other end.
    });
  }
}
