import { connect, createServer, type Socket } from 'node:net';
import { CloseCode } from '@mosaik/wire';
import { type Rng, systemClock } from '@mosaik/wire/runtime';
import { seededRng } from '@mosaik/wire/testing';
import { expect, it } from 'vitest';
import type { Link } from '../src/ports.ts';
import { ALPN, accept, pattern, withPair } from '../src/testing/pair.ts';
import { tlsTransport } from '../src/tls/index.ts';

/** A TCP relay on loopback that cuts the stream anywhere, delays the pieces, and resets it after so many bytes. */
class TcpRelay {
  readonly #rng: Rng;
  readonly #port: number;
  readonly #resetAfterBytes: number;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#serve(socket));
  #bytes = 0;

  constructor(init: { rng: Rng; port: number; resetAfterBytes?: number }) {
    this.#rng = init.rng;
    this.#port = init.port;
    this.#resetAfterBytes = init.resetAfterBytes ?? Number.POSITIVE_INFINITY;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(front: Socket): void {
    const back = connect({ port: this.#port, host: '127.0.0.1' });
    for (const [from, to] of [
      [front, back],
      [back, front],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      void this.#carry(from, to);
    }
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const data of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < data.length; ) {
          const piece = data.subarray(at, at + 1 + Math.floor(this.#rng.float() ** 3 * 20_000));
          at += piece.length;
          const delayMs = Math.floor(this.#rng.float() ** 4 * 20);
          if (delayMs > 0) await new Promise<void>((done) => void systemClock.schedule(delayMs, done));
          this.#bytes += piece.length;
          if (this.#bytes > this.#resetAfterBytes) {
            from.resetAndDestroy();
            to.resetAndDestroy();
            return;
          }
          to.write(piece);
        }
      }
      to.end();
    } catch {
      to.destroy();
    }
  }
}

/** Message `index` of a link: its length and content follow from it. */
const message = (index: number) => pattern(4 + ((index * 631) % 9000), index + 1);
const COUNT = 150;

async function write(link: Link): Promise<void> {
  for (let i = 0; i < COUNT; i += 1) await link.send(message(i));
}

/** How many messages came, each as it was and in order, and what ended them. */
async function read(link: Link): Promise<{ count: number; error?: unknown }> {
  for (let count = 0; ; count += 1) {
    if (count === COUNT) return { count };
    try {
      const frame = await link.receive();
      if (!frame) return { count };
      expect(Buffer.compare(frame, message(count))).toBe(0);
    } catch (error) {
      return { count, error };
    }
  }
}

for (const seed of [1, 2, 3]) {
  it(`brings every message once and in order through a network that splits and delays (seed ${seed})`, () =>
    withPair(tlsTransport, async ({ a, b, addressOfB }) => {
      const relay = new TcpRelay({ rng: seededRng(seed), port: Number(addressOfB.split(':')[1]) });
      const address = await relay.start();
      const [ours, theirs] = await Promise.all([a.connect(address, ALPN, { expect: b.id }), accept(b)]);
      await Promise.all(
        [0, 1].map(async () => {
          const link = await ours.openLink();
          const writing = write(link);
          const peer = await theirs.acceptLink();
          expect(await read(peer)).toEqual({ count: COUNT });
          await Promise.all([writing, write(peer), read(link)]);
        }),
      );
      await ours.close(CloseCode.Cancelled, 'the end');
      expect(await theirs.closed).toEqual({ code: CloseCode.Cancelled, reason: 'the end', remote: true });
      relay.close();
    }));
}

for (const seed of [1, 2, 3, 4]) {
  it(`ends both sides with a reason when the network resets the stream, what arrived being a start (seed ${seed})`, () =>
    withPair(tlsTransport, async ({ a, b, addressOfB }) => {
      const rng = seededRng(seed);
      const resetAfterBytes = 20_000 + Math.floor(rng.float() * 300_000);
      const relay = new TcpRelay({ rng, port: Number(addressOfB.split(':')[1]), resetAfterBytes });
      const address = await relay.start();
      const [ours, theirs] = await Promise.all([a.connect(address, ALPN, { expect: b.id }), accept(b)]);
      const link = await ours.openLink();
      const writing = write(link).catch((error: unknown) => error);
      const { count, error } = await read(await theirs.acceptLink());
      expect(count).toBeLessThan(COUNT);
      expect(error).toMatchObject({ code: 'closed', closeCode: CloseCode.UnexpectedClose });
      await writing;
      for (const connection of [ours, theirs]) {
        expect(await connection.closed).toMatchObject({ code: CloseCode.UnexpectedClose, remote: false });
        expect((await connection.closed).reason).not.toBe('');
      }
      relay.close();
    }));
}
