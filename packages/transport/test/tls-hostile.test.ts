import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { CloseCode } from '@mosaik/wire';
import { afterEach, describe, expect, it } from 'vitest';
import type { Connection, Endpoint, ListenInit } from '../src/ports.ts';
import { SecretKey } from '../src/secret-key.ts';
import { RecordType, writeRecordHeader } from '../src/tls/core/records.ts';
import { tlsTransport } from '../src/tls/index.ts';
import { ed25519Identity, foreignIdentity, type Identity, rawDial, rawServer, toldOn } from './raw-tls.ts';

const ALPN = '/raw/1';
const ALPNProtocols = [ALPN];
const cleanup: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const undo of cleanup.splice(0)) await undo();
});

async function listen(init: Partial<ListenInit> = {}) {
  const secretKey = SecretKey.generate();
  const endpoint = await tlsTransport.listen({ secretKey, host: '127.0.0.1', alpns: [ALPN], ...init });
  cleanup.push(() => endpoint.close());
  const accepted: Connection[] = [];
  void (async () => {
    for await (const connection of endpoint.inbound(ALPN)) accepted.push(connection);
  })();
  const address = endpoint.addresses[0] ?? '';
  return { endpoint, accepted, address, port: Number(address.split(':')[1]) };
}

/** A client whose handshake is done. */
async function dial(address: string, identity: Identity = ed25519Identity()): Promise<TLSSocket> {
  const socket = rawDial(address, { ...identity, ALPNProtocols });
  cleanup.push(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function tcp(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connectTcp({ port, host: '127.0.0.1', localAddress });
  cleanup.push(() => void socket.destroy());
  socket.on('error', () => {});
  socket.resume();
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  return socket;
}

async function ended(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

/** Lets the host's loop turn until something holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** A peer that keeps the rules is served, whatever others do. */
async function expectServed(to: { endpoint: Endpoint; address: string }): Promise<void> {
  const { endpoint } = await listen();
  const connection = await endpoint.connect(to.address, ALPN, { expect: to.endpoint.id });
  await connection.close(CloseCode.Success);
}

describe('certificates', () => {
  it('a peer with one Ed25519 certificate is accepted, the positive control', async () => {
    const { accepted, address } = await listen();
    const identity = ed25519Identity();
    const told = toldOn(await dial(address, identity));
    await until(() => accepted.length > 0);
    expect(accepted.map(({ remoteId }) => remoteId)).toEqual([identity.secretKey.id]);
    await accepted[0]?.close(CloseCode.Success, 'enough');
    expect(await told).toMatchObject({ hello: true, code: CloseCode.Success, reason: 'enough' });
  });

  const own = ed25519Identity();
  const refused: Record<string, Identity> = {
    'no certificate': {},
    'two certificates': { ...own, cert: own.cert + ed25519Identity().cert },
    'an RSA certificate': foreignIdentity('rsa'),
    'a P-256 certificate': foreignIdentity('ec'),
  };

  it.each(Object.keys(refused))('a peer with %s is refused before anything else', async (name) => {
    const { accepted, address } = await listen();
    const socket = rawDial(address, { ...refused[name], ALPNProtocols });
    const told = await toldOn(socket);
    // Either our word, or TLS found no signature scheme in common.
    expect(told.code ?? told.error).toSatisfy(
      (why: unknown) => why === CloseCode.ProtocolViolation || String(why).startsWith('ERR_SSL'),
    );
    expect(accepted).toEqual([]);
  });

  it.each(Object.keys(refused).slice(1))('an acceptor with %s is refused', async (name) => {
    const { endpoint } = await listen();
    const server = await rawServer({ ...refused[name], alpn: ALPN }, () => {});
    cleanup.push(server.close);
    await expect(endpoint.connect(server.address, ALPN)).rejects.toMatchObject({ code: 'certificate' });
  });

  it('a key that does not fit the certificate cannot even be set up', async () => {
    const { address } = await listen();
    const mixed = { ...ed25519Identity(), cert: ed25519Identity().cert };
    expect(() => rawDial(address, { ...mixed, ALPNProtocols })).toThrow('key values mismatch');
  });

  it('a dial is not done before the acceptor said that it accepts our certificate', async () => {
    const { endpoint } = await listen({ handshakeTimeoutMs: 300 });
    const server = await rawServer({ ...ed25519Identity(), alpn: ALPN }, () => {});
    cleanup.push(server.close);
    await expect(endpoint.connect(server.address, ALPN)).rejects.toMatchObject({ code: 'timeout' });
    expect(server.sockets).toHaveLength(1);
  });
});

describe('handshakes', () => {
  it('without a protocol, or below TLS 1.3, are refused', async () => {
    const { accepted, address } = await listen();
    const nameless = await toldOn(rawDial(address, ed25519Identity()));
    expect(nameless.code).toBe(CloseCode.InvalidAlpn);
    const old = await toldOn(
      rawDial(address, { ...ed25519Identity(), ALPNProtocols, maxVersion: 'TLSv1.2' }),
    );
    expect(old.error).toContain('PROTOCOL_VERSION');
    expect(accepted).toEqual([]);
  });

  it('with an acceptor without a protocol, or below TLS 1.3, fail with a code', async () => {
    const { endpoint } = await listen();
    const nameless = await rawServer(ed25519Identity(), () => {});
    const old = await rawServer({ ...ed25519Identity(), alpn: ALPN, maxVersion: 'TLSv1.2' }, () => {});
    cleanup.push(nameless.close, old.close);
    await expect(endpoint.connect(nameless.address, ALPN)).rejects.toMatchObject({ code: 'alpn' });
    await expect(endpoint.connect(old.address, ALPN)).rejects.toMatchObject({ code: 'refused' });
  });

  it('continue no session of an earlier connection (RFC 8446 §2.2)', async () => {
    const { accepted, address } = await listen();
    const identity = ed25519Identity();
    const sessions: Buffer[] = [];
    const first = rawDial(address, { ...identity, ALPNProtocols });
    first.on('session', (session) => sessions.push(session));
    const told = toldOn(first);
    await once(first, 'secureConnect');
    await until(() => accepted.length > 0 && sessions.length > 0);
    const second = rawDial(address, { ...identity, ALPNProtocols, session: sessions[0] });
    await once(second, 'secureConnect');
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
    first.destroy();
    await told;
  });

  it('of something that is no TLS end at once', async () => {
    const server = await listen();
    const socket = await tcp(server.port);
    socket.write('GET / HTTP/1.1\r\nhost: mosaik\r\n\r\n');
    await ended(socket);
    const noise = await tcp(server.port);
    noise.write(randomBytes(4096));
    await ended(noise);
    expect(server.accepted).toEqual([]);
    await expectServed(server);
  });

  it('of which a byte comes now and then end at their deadline', async () => {
    const server = await listen({ handshakeTimeoutMs: 300 });
    const socket = await tcp(server.port);
    const trickle = setInterval(() => socket.write(Uint8Array.of(22)), 20);
    await ended(socket);
    clearInterval(trickle);
    expect(server.accepted).toEqual([]);
  });

  it('in numbers that say nothing do not keep a peer out, and are all forgotten', async () => {
    const server = await listen({ handshakeTimeoutMs: 2000 });
    const idle: Socket[] = [];
    for (let i = 0; i < 1200; i += 100)
      idle.push(
        ...(await Promise.all(Array.from({ length: 100 }, () => tcp(server.port, `127.0.1.${i / 100}`)))),
      );
    const same = await Promise.all(Array.from({ length: 150 }, () => tcp(server.port)));
    await expectServed(server);
    await Promise.all([...idle, ...same].map(ended));
    await expectServed(server);
  });

  const ATTEMPTS = process.env.MOSAIK_LONG_TESTS === '1' ? 10_000 : 1000;
  it(`that begin TLS and go no further, ${ATTEMPTS} of them from ten addresses, keep no peer out and are all forgotten`, async () => {
    const server = await listen({ handshakeTimeoutMs: 1000 });
    const hosts = process.platform === 'linux' ? 10 : 1;
    const rssBefore = process.memoryUsage.rss();
    let open = 0;
    let most = 0;
    let served = 0;
    for (let i = 0; i < ATTEMPTS; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, k) => {
          const socket = await tcp(server.port, `127.0.2.${((i + k) % hosts) + 1}`);
          open += 1;
          socket.once('close', () => {
            open -= 1;
          });
          // A record header that announces a ClientHello, and its first byte.
          socket.write(Uint8Array.of(22, 3, 1, 2, 0, 1));
        }),
      );
      most = Math.max(most, open);
      if (i % 500 === 0) {
        await expectServed(server);
        served += 1;
      }
    }
    await until(() => open === 0);
    await expectServed(server);
    // 1024 in all, those that wait in the host's queue (511) and those that do not know of their end yet.
    expect(most).toBeLessThan(1024 + 511 + 400);
    expect(served).toBeGreaterThan(1);
    const growth = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
    if (ATTEMPTS > 1000)
      console.log(
        `${ATTEMPTS} attempts, ${served} peers served, at most ${most} open, RSS +${growth.toFixed(0)} MB`,
      );
  }, 120_000);

  it('with what is no TLS fail with a code on the side that dials', async () => {
    const { endpoint } = await listen({ handshakeTimeoutMs: 1000 });
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.end('220 mail.example ESMTP\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanup.push(() => void server.close());
    const { port } = server.address() as { port: number };
    await expect(endpoint.connect(`127.0.0.1:${port}`, ALPN)).rejects.toMatchObject({ code: 'refused' });
    await expect(endpoint.connect('no-such-name.invalid:1', ALPN)).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

describe('once a peer is accepted', () => {
  it('bytes that are no TLS end its connection alone', async () => {
    const server = await listen();
    const { accepted, address } = server;
    const raw = await tcp(server.port);
    const socket = rawDial(address, { ...ed25519Identity(), ALPNProtocols, socket: raw });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    await until(() => accepted.length > 0);
    raw.write(randomBytes(100));
    expect(await accepted[0]?.closed).toMatchObject({ code: CloseCode.UnexpectedClose });
    await expectServed(server);
  });

  it('records that make no sense end its connection with 400, and it is told why', async () => {
    const server = await listen();
    const socket = await dial(server.address);
    socket.write(new Uint8Array(1000).fill(0xff));
    expect(await toldOn(socket)).toMatchObject({
      code: CloseCode.ProtocolViolation,
      reason: 'a record of unknown type 255',
    });
    expect(await server.accepted[0]?.closed).toMatchObject({
      code: CloseCode.ProtocolViolation,
      remote: false,
    });
    await expectServed(server);
  });

  it('a frame announced above the limit ends its connection with 400 before it is buffered', async () => {
    const server = await listen({ maxFrameBytes: 1000 });
    const socket = await dial(server.address);
    const told = toldOn(socket);
    const hello = new Uint8Array(13);
    writeRecordHeader(hello, 0, RecordType.hello, 5);
    hello.set([1, 0, 0, 0x75, 0x30], 8);
    const data = new Uint8Array(12);
    writeRecordHeader(data, 0, RecordType.data, 4, 0);
    data.set([0x7f, 0xff, 0xff, 0xff], 8);
    socket.write(Buffer.concat([hello, data]));
    await until(() => server.accepted.length > 0);
    const link = await server.accepted[0]?.acceptLink();
    await expect(link?.receive()).rejects.toMatchObject({ closeCode: CloseCode.ProtocolViolation });
    expect((await told).code).toBe(CloseCode.ProtocolViolation);
  });

  it('a stream that just ends is a connection that ended without a reason', async () => {
    const { accepted, address } = await listen();
    const socket = await dial(address);
    await until(() => accepted.length > 0);
    socket.destroy();
    expect(await accepted[0]?.closed).toMatchObject({ code: CloseCode.UnexpectedClose, remote: false });
  });

  it('a peer that falls silent is given up after the idle timeout', async () => {
    const { accepted, address } = await listen({ idleTimeoutMs: 200, keepAliveMs: 50 });
    const socket = await dial(address);
    socket.pause();
    await until(() => accepted.length > 0);
    expect(await accepted[0]?.closed).toMatchObject({ code: CloseCode.Timeout, remote: false });
  });
});

it('listens on both families at once, and says where', async () => {
  const both = await listen({ host: '::' });
  const port = both.endpoint.addresses[0]?.split(':').at(-1);
  expect(both.endpoint.addresses).toContain(`[::1]:${port}`);
  for (const host of ['127.0.0.1', '[::1]', 'localhost'])
    await expectServed({ endpoint: both.endpoint, address: `${host}:${port}` });
  const named = await listen({ advertise: ['node.example:7400'] });
  expect(named.endpoint.addresses).toEqual(['node.example:7400']);
});

it('fails to bind with a code', async () => {
  const { port } = await listen();
  const init = { secretKey: SecretKey.generate(), alpns: [ALPN] };
  await expect(tlsTransport.listen({ ...init, host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'address-in-use',
  });
  await expect(tlsTransport.listen({ ...init, host: '192.0.2.1' })).rejects.toMatchObject({
    code: 'address-invalid',
  });
  await expect(tlsTransport.listen({ ...init, port: 70_000 })).rejects.toMatchObject({
    code: 'address-invalid',
  });
});
