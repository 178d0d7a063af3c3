import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import quiche from '@matrixai/quic/native/quiche.js';
import type { Config, Connection as NativeConnection } from '@matrixai/quic/native/types.js';
import { CloseCode } from '@mosaik/wire';
import { expect, it } from 'vitest';
import type { Connection, Endpoint } from '../src/ports.ts';
import { quicTransport } from '../src/quic/index.ts';
import { nativeLedger } from '../src/quic/native-ledger.ts';
import { SecretKey } from '../src/secret-key.ts';
import { ALPN, accept, turn, withPair } from '../src/testing/pair.ts';

/** With MOSAIK_LONG_TESTS=1 as many as a real attack has. */
const LONG = process.env.MOSAIK_LONG_TESTS === '1';
const ATTEMPTS = LONG ? 10_000 : 600;
const BATCH = 25;

/** Begins handshakes from several addresses and finishes none. */
class Strangers {
  readonly #config: Config;
  readonly #sockets: Socket[] = [];
  /** Attempts whose retry has not come, by their own id. */
  readonly #waiting = new Map<string, NativeConnection>();
  readonly #port: number;
  answered = 0;

  /** Without the signature scheme of the server's key a handshake fails with the first datagram. */
  constructor(port: number, sigalgs: string | null) {
    this.#port = port;
    this.#config = quiche.Config.withBoringSslCtx(false, false, null, null, null, sigalgs);
    this.#config.setApplicationProtos([ALPN]);
  }

  /** Those that answer prove their address when they are asked to. */
  async start(hosts: readonly string[], answering: boolean): Promise<void> {
    for (const host of hosts) {
      const socket = createSocket('udp4');
      socket.bind(0, host);
      await once(socket, 'listening');
      this.#sockets.push(socket);
      if (!answering) continue;
      socket.on('message', (data) => {
        const id = data.toString('latin1', 6, 6 + (data[5] ?? 0));
        const connection = this.#waiting.get(id);
        if (!connection || ((data[0] ?? 0) & 0xf0) !== 0xf0) return;
        this.#waiting.delete(id);
        const { address, port } = socket.address();
        connection.recv(data, {
          from: { host: '127.0.0.1', port: this.#port },
          to: { host: address, port },
        });
        this.answered += 1;
        this.#send(connection, socket);
      });
    }
  }

  attempt(index: number): void {
    const socket = this.#sockets[index % this.#sockets.length] as Socket;
    const { address, port } = socket.address();
    const id = randomBytes(16);
    const local = { host: address, port };
    const remote = { host: '127.0.0.1', port: this.#port };
    const connection = quiche.Connection.connect(null, id, local, remote, this.#config);
    this.#waiting.set(id.toString('latin1'), connection);
    this.#send(connection, socket);
    // Those that no retry comes for would weigh on the test's own memory.
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= 200) break;
      this.#waiting.delete(oldest);
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #send(connection: NativeConnection, socket: Socket): void {
    const buffer = Buffer.alloc(1500);
    for (let sent = connection.send(buffer); sent; sent = connection.send(buffer)) {
      socket.send(Buffer.from(buffer.subarray(0, sent[0])), this.#port, '127.0.0.1');
    }
  }
}

async function roundTrip(a: Endpoint, b: Endpoint, address: string): Promise<void> {
  let ours: Connection | undefined;
  while (!ours) {
    // Told that others took its place, a peer dials again; nothing else may happen to it.
    ours = await a.connect(address, ALPN, { expect: b.id }).catch((error) => {
      expect(error).toMatchObject({ code: 'refused' });
      return undefined;
    });
  }
  const theirs = await accept(b);
  const link = await ours.openLink();
  await link.send(Uint8Array.of(1, 2, 3));
  expect(await (await theirs.acceptLink()).receive()).toEqual(Uint8Array.of(1, 2, 3));
  await ours.close(CloseCode.Success);
}

const elsewhere = process.platform === 'linux' ? Array.from({ length: 9 }, (_, i) => `127.0.0.${i + 2}`) : [];

for (const [who, hosts, answering, sigalgs] of [
  ['strangers at many addresses that never answer', [...elsewhere, '127.0.0.1'], false, 'ed25519'],
  ['strangers at many addresses that answer a retry', [...elsewhere, '127.0.0.1'], true, 'ed25519'],
  ["strangers at the peer's own address that answer a retry", ['127.0.0.1'], true, 'ed25519'],
  ['strangers that cannot check our key', ['127.0.0.1'], false, null],
] as const) {
  it(
    `lets a peer connect within the handshakes of ${who}, and forgets every one of them`,
    () =>
      withPair(quicTransport, async ({ a }) => {
        const b = await quicTransport.listen({
          secretKey: SecretKey.generate(),
          host: '127.0.0.1',
          alpns: [ALPN],
          handshakeTimeoutMs: 1000,
        });
        const addressOfB = b.addresses[0] ?? '';
        const strangers = new Strangers(Number(addressOfB.split(':')[1]), sigalgs);
        await strangers.start(hosts, answering);
        const rssBefore = process.memoryUsage.rss();
        let most = 0;
        let flooding = true;
        const flood = (async () => {
          for (let i = 0; i < ATTEMPTS; i += 1) {
            strangers.attempt(i);
            if (i % BATCH === 0) await turn();
            most = Math.max(most, nativeLedger.live);
          }
          flooding = false;
        })();
        let connected = 0;
        while (flooding) {
          await roundTrip(a, b, addressOfB);
          connected += 1;
        }
        await flood;
        await roundTrip(a, b, addressOfB);
        expect(connected).toBeGreaterThan(0);
        expect(most).toBeLessThan(nativeLedger.capacity / 2);
        if (answering) expect(strangers.answered).toBeGreaterThan(ATTEMPTS / 4);
        while (nativeLedger.live > 0) await turn();
        // Natives that ended go with the next collections, which admitting brings about.
        while (nativeLedger.allocated > 200) {
          nativeLedger.admits();
          await turn();
        }
        strangers.close();
        await b.close();
        if (LONG) {
          const growth = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
          console.log(
            `${ATTEMPTS} attempts, ${connected} connections, ${most} natives, RSS +${growth.toFixed(0)} MB`,
          );
        }
      }),
    120_000,
  );
}
