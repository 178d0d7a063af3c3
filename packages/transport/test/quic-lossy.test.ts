import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { CloseCode } from '@mosaik/wire';
import { expect, it } from 'vitest';
import type { Link } from '../src/ports.ts';
import { quicTransport } from '../src/quic/index.ts';
import { ALPN, pattern, withPair } from '../src/testing/pair.ts';

/** Forwards between whoever sends to it first and `port`, losing every so-manieth datagram and swapping some. */
async function relay(port: number, loseEvery: number): Promise<{ address: string; close: () => void }> {
  const [front, back] = [createSocket('udp4'), createSocket('udp4')];
  for (const socket of [front, back]) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
  }
  let client = 0;
  const forward = (from: Socket, to: Socket, target: () => number) => {
    let count = 0;
    let held: Buffer | undefined;
    from.on('message', (data, source) => {
      if (from === front) client = source.port;
      count += 1;
      if (count % loseEvery === 0) return;
      const send = (datagram: Buffer) => to.send(datagram, target(), '127.0.0.1');
      const overtaken = held;
      held = undefined;
      // Its neighbour overtakes it, when there is one.
      if (count % loseEvery === 2) {
        held = data;
        setImmediate(() => {
          if (held) send(held);
          held = undefined;
        });
        return;
      }
      send(data);
      if (overtaken) send(overtaken);
    });
  };
  forward(front, back, () => port);
  forward(back, front, () => client);
  return {
    address: `127.0.0.1:${front.address().port}`,
    close: () => {
      front.close();
      back.close();
    },
  };
}

for (const loseEvery of [17, 37]) {
  it(`delivers everything and the close although every ${loseEvery}th datagram is lost and others are swapped`, () =>
    withPair(
      quicTransport,
      async ({ a, b, addressOfB }) => {
        const between = await relay(Number(addressOfB.split(':')[1]), loseEvery);
        try {
          const inbound = b.inbound(ALPN)[Symbol.asyncIterator]();
          const [ours, { value: theirs }] = await Promise.all([
            a.connect(between.address, ALPN),
            inbound.next(),
          ]);
          const link = await ours.openLink();
          link.write(pattern(1));
          const peer: Link = await theirs.acceptLink();
          await peer.receive();
          const exchange = async (end: Link) => {
            const writing = (async () => {
              for (let i = 0; i < 12; i += 1) await end.send(pattern(9000, i + 1));
            })();
            for (let i = 0; i < 12; i += 1) expect(await end.receive()).toEqual(pattern(9000, i + 1));
            await writing;
          };
          await Promise.all([exchange(link), exchange(peer)]);
          link.write(pattern(20_000, 99));
          await ours.close(CloseCode.NotAllowed, 'the end');
          expect(await peer.receive()).toEqual(pattern(20_000, 99));
          expect(await theirs.closed).toEqual({
            code: CloseCode.NotAllowed,
            reason: 'the end',
            remote: true,
          });
        } finally {
          between.close();
        }
      },
      { loopbackDatagramBytes: 1350 },
    ));
}
