import { Socket } from 'node:dgram';
import { CloseCode } from '@mosaik/wire';
import { systemClock } from '@mosaik/wire/runtime';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Connection } from '../src/ports.ts';
import { quicTransport } from '../src/quic/index.ts';
import { ALPN, pattern, withPair } from '../src/testing/pair.ts';

const { bind, send } = Socket.prototype;
type Bind = (this: Socket, ...args: unknown[]) => Socket;
/** Those bound since the test began, in order: the dialler's, the acceptor's, then what replaced them. */
const sockets: Socket[] = [];
/** A code for each of the next attempts to bind; then they succeed. */
let bindFailures: string[] = [];

beforeEach(() => {
  sockets.length = 0;
  bindFailures = [];
  vi.spyOn(Socket.prototype, 'bind').mockImplementation(function (this: Socket, ...args: unknown[]) {
    const code = bindFailures.shift();
    if (code !== undefined) throw Object.assign(new Error(`bind ${code}`), { code });
    sockets.push(this);
    return (bind as Bind).apply(this, args);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function exchange(ours: Connection, theirs: Connection): Promise<void> {
  const link = await ours.openLink();
  await link.send(pattern(5000));
  const peer = await theirs.acceptLink();
  expect(await peer.receive()).toEqual(pattern(5000));
  await peer.send(pattern(3000));
  expect(await link.receive()).toEqual(pattern(3000));
}

const error = (code: string) => Object.assign(new Error(`recvmsg ${code}`), { code });

const losses: [string, (socket: Socket) => void][] = [
  ['closes it', (socket) => void socket.close()],
  ['reports ENETDOWN while reading it', (socket) => void socket.emit('error', error('ENETDOWN'))],
  [
    'answers EBADF to a datagram',
    (socket) => {
      vi.spyOn(socket, 'send').mockImplementation((...args: unknown[]) => {
        process.nextTick(args[5] as (error: Error) => void, error('EBADF'));
      });
    },
  ],
];

for (const [what, lose] of losses) {
  for (const [who, index] of [
    ['dialler', 0],
    ['acceptor', 1],
  ] as const) {
    it(`binds the same port again when the host ${what}, and the connections of the ${who} go on`, () =>
      withPair(quicTransport, async ({ a, b, connect }) => {
        const [ours, theirs] = await connect();
        await exchange(ours, theirs);
        const socket = sockets[index];
        if (!socket) throw new Error('no socket was bound');
        const before = socket.address();
        lose(socket);
        await exchange(ours, theirs);
        expect(sockets).toHaveLength(3);
        expect(sockets[2]?.address()).toEqual(before);
        // Another dial works as well: the address is the one that peers know.
        const [again] = await connect();
        expect(again.remoteId).toBe(b.id);
        expect(a.addresses).toHaveLength(1);
      }));
  }
}

it('goes on trying with longer pauses while the port cannot be had', () =>
  withPair(quicTransport, async ({ connect }) => {
    const [ours, theirs] = await connect();
    bindFailures = ['EADDRNOTAVAIL', 'EADDRINUSE', 'EADDRNOTAVAIL'];
    const startedMs = systemClock.nowMs();
    sockets[0]?.close();
    await exchange(ours, theirs);
    expect(bindFailures).toEqual([]);
    expect(systemClock.nowMs() - startedMs).toBeGreaterThan(50 + 100 + 200 + 400 - 10);
  }));

it('ends connections with 30408 and refuses dials when the port does not come back; it still closes', () =>
  withPair(
    quicTransport,
    async ({ a, addressOfB, connect }) => {
      const [ours, theirs] = await connect();
      bindFailures = new Array(1000).fill('EADDRNOTAVAIL');
      sockets[0]?.close();
      await new Promise((resolve) => sockets[0]?.once('close', resolve));
      await expect(a.connect(addressOfB, ALPN)).rejects.toMatchObject({ code: 'unavailable' });
      expect(await ours.closed).toMatchObject({ code: CloseCode.Timeout, remote: false });
      expect(await theirs.closed).toMatchObject({ code: CloseCode.Timeout, remote: false });
      await a.close();
    },
    { idleTimeoutMs: 700, keepAliveMs: 200 },
  ));

it('keeps its socket when a peer does not want datagrams (ECONNREFUSED)', () =>
  withPair(quicTransport, async ({ connect }) => {
    const [ours, theirs] = await connect();
    sockets[0]?.emit('error', error('ECONNREFUSED'));
    await exchange(ours, theirs);
    expect(sockets).toHaveLength(2);
    expect(Socket.prototype.send).toBe(send);
  }));
