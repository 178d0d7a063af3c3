import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { CloseCode } from '@mosaik/wire';
import { silentMetrics } from '@mosaik/wire/runtime';
import { settle, VirtualClock } from '@mosaik/wire/testing';
import { afterEach, expect, it } from 'vitest';
import type { Connection, Endpoint, ListenInit } from '../src/ports.ts';
import { createQuicTransport, quicTransport } from '../src/quic/index.ts';
import { SecretKey } from '../src/secret-key.ts';
import { createCertificate } from '../src/shared/certificate.ts';
import { accept } from '../src/testing/pair.ts';
import { RawPeer } from './raw-quic.ts';

const ALPN = '/raw/1';
const cleanup: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const undo of cleanup.splice(0)) await undo();
});

async function listen(init: Partial<ListenInit> = {}, transport = quicTransport): Promise<Endpoint> {
  const secretKey = SecretKey.generate();
  const endpoint = await transport.listen({ secretKey, host: '127.0.0.1', alpns: [ALPN], ...init });
  cleanup.push(() => endpoint.close());
  return endpoint;
}

async function raw(): Promise<RawPeer> {
  const secretKey = SecretKey.generate();
  const certificatePem = createCertificate(secretKey);
  const peer = await RawPeer.create(
    { keyPem: secretKey.exportPem(), certificatePem, sigalgs: 'ed25519' },
    ALPN,
  );
  cleanup.push(() => peer.close());
  return peer;
}

async function socket() {
  const bound = createSocket('udp4');
  bound.bind(0, '127.0.0.1');
  await once(bound, 'listening');
  cleanup.push(() => {
    bound.close();
  });
  return bound;
}

const address = (endpoint: Endpoint) => endpoint.addresses[0] ?? '';
const port = (endpoint: Endpoint) => Number(address(endpoint).split(':')[1]);

async function roundTrip(from: Endpoint, to: Endpoint): Promise<void> {
  const [ours, theirs] = await Promise.all([from.connect(address(to), ALPN), accept(to, ALPN)]);
  const link = await ours.openLink();
  await link.send(Uint8Array.of(1, 2, 3));
  expect(await (await theirs.acceptLink()).receive()).toEqual(Uint8Array.of(1, 2, 3));
  await ours.close(CloseCode.Success);
}

it('goes on after garbage datagrams of every size and shape', async () => {
  const [a, b] = [await listen(), await listen()];
  const sender = await socket();
  for (let i = 0; i < 1000; i += 1) {
    const garbage = randomBytes(1 + ((i * 37) % 1500));
    // Every second one claims to be an Initial of version 1.
    if (i % 2 === 0 && garbage.length > 6) {
      garbage[0] = 0xc0 | (i & 0x0f);
      garbage.writeUInt32BE(1, 1);
      garbage[5] = i % 24;
    }
    await new Promise((resolve) => sender.send(garbage, port(b), '127.0.0.1', resolve));
  }
  await roundTrip(a, b);
});

it('leaves a connection alone when garbage carries its id or truncated packets arrive', async () => {
  const b = await listen();
  const peer = await raw();
  peer.dial(address(b));
  await peer.until((each) => each.streamReadable(3));
  const connection = await accept(b, ALPN);
  const id = Buffer.from(peer.connection?.destinationId() ?? []);
  for (let i = 0; i < 100; i += 1) {
    const garbage = Buffer.concat([
      Buffer.of(0x40 | (i & 0x3f)),
      id.subarray(0, i < 10 ? i : 8),
      randomBytes(i * 10),
    ]);
    await new Promise((resolve) => peer.socket.send(garbage, port(b), '127.0.0.1', resolve));
  }
  peer.connection?.streamSend(0, Uint8Array.of(0, 0, 0, 1, 42), false);
  peer.pump();
  expect(await (await connection.acceptLink()).receive()).toEqual(Uint8Array.of(42));
});

it('answers another version with the ones it speaks (RFC 9000 §6)', async () => {
  const b = await listen();
  const sender = await socket();
  const probe = Buffer.alloc(1200);
  probe.set([0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 9, 9, 9, 9]);
  const answer = once(sender, 'message');
  sender.send(probe, port(b), '127.0.0.1');
  const [data] = (await answer) as [Buffer];
  expect(data.readUInt32BE(1)).toBe(0);
  expect(data.readUInt32BE(data.length - 4)).toBe(1);
});

it('ends a connection whose peer fell silent with 30408', async () => {
  const b = await listen({ idleTimeoutMs: 200, keepAliveMs: 50 });
  const peer = await raw();
  peer.dial(address(b));
  await peer.until((each) => each.streamReadable(3));
  const connection = await accept(b, ALPN);
  peer.mute = true;
  expect(await connection.closed).toMatchObject({ code: CloseCode.Timeout, remote: false });
});

it('bounds the handshakes that one address may begin, and forgets those that do not go on', async () => {
  let refused = 0;
  const metrics = {
    ...silentMetrics,
    count: (name: string) => {
      if (name.endsWith('handshakes_refused')) refused += 1;
    },
  };
  const clock = new VirtualClock();
  const never = createQuicTransport({ retryFromHalfOpen: Number.POSITIVE_INFINITY });
  const b = await listen({ handshakeTimeoutMs: 200, metrics, clock }, never);
  const sender = await socket();
  const first = await raw();
  first.mute = true;
  for (let i = 0; i < 200; i += 1) {
    first.dial(address(b));
    for (const datagram of first.takeDatagrams()) {
      await new Promise((resolve) => sender.send(datagram, port(b), '127.0.0.1', resolve));
    }
  }
  while (refused < 200 - 128) await settle();
  await clock.advance(200);
  await roundTrip(await listen(), b);
  expect(refused).toBe(200 - 128);
});

it('makes clients prove their address by a retry when asked to (RFC 9000 §8.1.2)', async () => {
  const [a, b] = [await listen(), await listen({}, createQuicTransport({ retryFromHalfOpen: 0 }))];
  const [ours, theirs] = await Promise.all([a.connect(address(b), ALPN), accept(b, ALPN)]);
  const context = new Uint8Array(32);
  expect(ours.exportKeyingMaterial('EXPORTER-x', context, 32)).toEqual(
    theirs.exportKeyingMaterial('EXPORTER-x', context, 32),
  );
  await roundTrip(a, b);
});

it('ignores a token that it did not give', async () => {
  const b = await listen({}, createQuicTransport({ retryFromHalfOpen: 0 }));
  const sender = await socket();
  const forged = Buffer.alloc(1200);
  forged.set([0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 30]);
  sender.send(forged, port(b), '127.0.0.1');
  await roundTrip(await listen(), b);
});

it('ignores datagrams of a connection from another address', async () => {
  const b = await listen();
  const peer = await raw();
  peer.dial(address(b));
  await peer.until((each) => each.streamReadable(3));
  const connection = await accept(b, ALPN);
  const elsewhere = await socket();
  let answered = 0;
  elsewhere.on('message', () => (answered += 1));
  peer.connection?.streamSend(0, Uint8Array.of(0, 0, 0, 1, 7), false);
  for (const datagram of peer.takeDatagrams()) {
    await new Promise((resolve) => elsewhere.send(datagram, port(b), '127.0.0.1', resolve));
  }
  // Lost, as far as the connection is concerned: the retransmission from the right address brings it.
  const link = connection.acceptLink();
  setTimeout(() => {
    peer.connection?.onTimeout();
    peer.pump();
  }, peer.connection?.timeout() ?? 0);
  expect(await (await link).receive()).toEqual(Uint8Array.of(7));
  expect(answered).toBe(0);
});

it('ends the connection with 400 when a link ends within a frame', async () => {
  const b = await listen();
  const peer = await raw();
  peer.dial(address(b));
  await peer.until((each) => each.streamReadable(3));
  const connection = await accept(b, ALPN);
  peer.connection?.streamSend(0, Uint8Array.of(0, 0, 0, 9, 1, 2), true);
  peer.pump();
  await expect((await connection.acceptLink()).receive()).rejects.toMatchObject({
    closeCode: CloseCode.ProtocolViolation,
  });
  await peer.until((each) => each.peerError() !== null);
  expect(peer.connection?.peerError()).toMatchObject({ isApp: true, errorCode: CloseCode.ProtocolViolation });
});

it.runIf(process.platform === 'linux')(
  'leaves no file and no secret behind, and bounds descriptors over many connections',
  async () => {
    const [a, b] = [await listen(), await listen()];
    const descriptors = () => readdirSync('/proc/self/fd');
    const inbound = b.inbound(ALPN)[Symbol.asyncIterator]();
    let most = 0;
    for (let i = 0; i < 400; i += 1) {
      const [ours, theirs] = await Promise.all([a.connect(address(b), ALPN), inbound.next()]);
      await ours.close(CloseCode.Success);
      await (theirs.value as Connection).closed;
      most = Math.max(most, descriptors().length);
    }
    expect(most).toBeLessThan(500);
    expect(readdirSync('/dev/shm').filter((name) => /^mosaik-[0-9a-f]{24}$/.test(name))).toEqual([]);
    const targets = descriptors().map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    });
    expect(targets.filter((target) => target.includes('mosaik-'))).toEqual([]);
  },
);

it('lists real addresses for a wildcard, or those it is told to advertise', async () => {
  const wildcard = await listen({ host: '0.0.0.0' });
  expect(wildcard.addresses.some((each) => each.startsWith('127.0.0.1:'))).toBe(true);
  expect(wildcard.addresses.some((each) => each.startsWith('0.0.0.0'))).toBe(false);
  const advertised = await listen({ advertise: ['example.org:7400'] });
  expect(advertised.addresses).toEqual(['example.org:7400']);
});

it('dials names, and IPv4 from an IPv6 socket', async () => {
  const [a, b] = [await listen({ host: '::' }), await listen()];
  const [ours, theirs] = await Promise.all([a.connect(`localhost:${port(b)}`, ALPN), accept(b, ALPN)]);
  expect(ours.remoteId).toBe(b.id);
  expect(theirs.remoteId).toBe(a.id);
  await expect(a.connect('name.invalid:7400', ALPN)).rejects.toMatchObject({ code: 'unavailable' });
});
