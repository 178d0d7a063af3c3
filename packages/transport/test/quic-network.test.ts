import { CloseCode } from '@mosaik/wire';
import { systemClock } from '@mosaik/wire/runtime';
import { seededRng } from '@mosaik/wire/testing';
import { expect, it } from 'vitest';
import type { Connection, Link, ListenInit } from '../src/ports.ts';
import { quicTransport } from '../src/quic/index.ts';
import { ALPN, accept, pattern, withPair } from '../src/testing/pair.ts';
import { UdpRelay, type UdpRelayInit } from '../src/testing/udp-relay.ts';

/** With MOSAIK_LONG_TESTS=1 outages last half a minute too. */
const LONG = process.env.MOSAIK_LONG_TESTS === '1';
const BAD = { delayMs: 50, lossShare: 0.02, duplicateShare: 0.02, reorderShare: 0.1 };

interface Ends {
  relay: UdpRelay;
  ours: Connection;
  theirs: Connection;
  redial: () => Promise<Connection>;
}

function withRelay(
  network: Omit<UdpRelayInit, 'port'>,
  body: (ends: Ends) => Promise<void>,
  init: Partial<ListenInit> = {},
): Promise<void> {
  return withPair(
    quicTransport,
    async ({ a, b, addressOfB }) => {
      const relay = await UdpRelay.start({ ...network, port: Number(addressOfB.split(':')[1]) });
      try {
        const redial = () => a.connect(relay.address, ALPN, { expect: b.id });
        const [ours, theirs] = await Promise.all([redial(), accept(b)]);
        await body({ relay, ours, theirs, redial });
      } finally {
        relay.close();
      }
    },
    { loopbackDatagramBytes: 1350, ...init },
  );
}

/** Message `index` of a link: its length and content follow from it. */
const message = (index: number) => pattern(4 + ((index * 631) % 3000), index + 1);

async function write(link: Link, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += 1) await link.send(message(i));
}

async function read(link: Link, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += 1)
    expect(Buffer.compare((await link.receive()) ?? Buffer.of(), message(i))).toBe(0);
}

async function openBoth({ ours, theirs }: Ends): Promise<[Link, Link]> {
  const link = await ours.openLink();
  await link.send(message(0));
  const peer = await theirs.acceptLink();
  await read(peer, 0, 1);
  return [link, peer];
}

for (const seed of [1, 2]) {
  it.concurrent(`brings every message once and in order with 50 ms delay, 2 % loss, duplication and reordering (seed ${seed})`, () =>
    withRelay({ ...BAD, rng: seededRng(seed) }, async (ends) => {
      const links = [await openBoth(ends), await openBoth(ends)];
      await Promise.all(
        links.flatMap(([link, peer]) => [
          write(link, 1, 100),
          read(peer, 1, 100),
          write(peer, 0, 100),
          read(link, 0, 100),
        ]),
      );
      await ends.ours.close(CloseCode.Cancelled, 'the end');
      expect(await ends.theirs.closed).toEqual({
        code: CloseCode.Cancelled,
        reason: 'the end',
        remote: true,
      });
    }));
}

const pause = (ms: number) => new Promise<void>((resolve) => void systemClock.schedule(ms, resolve));

for (const [outageMs, idleTimeoutMs, run] of [
  [600, 5000, true],
  [30_000, 90_000, LONG],
] as const) {
  (run ? it.concurrent : it.skip)(
    `brings every message although nothing passes for ${outageMs} ms, less than the idle timeout`,
    () =>
      withRelay(
        { ...BAD, rng: seededRng(4) },
        async (ends) => {
          const [link, peer] = await openBoth(ends);
          const writing = write(link, 1, 300);
          await read(peer, 1, 20);
          ends.relay.faults.cut = true;
          const back = [write(peer, 0, 100), read(link, 0, 100)];
          await pause(outageMs);
          ends.relay.faults.cut = false;
          await Promise.all([writing, read(peer, 20, 300), ...back]);
        },
        { idleTimeoutMs, keepAliveMs: 200 },
      ),
    120_000,
  );
}

for (const [idleTimeoutMs, run] of [
  [700, true],
  [30_000, LONG],
] as const) {
  (run ? it.concurrent : it.skip)(
    `ends both sides with 30408 when nothing passes for longer than the idle timeout of ${idleTimeoutMs} ms, what arrived being a start`,
    () =>
      withRelay(
        { ...BAD, lossShare: 0, rng: seededRng(5) },
        async (ends) => {
          const { relay, ours, theirs, redial } = ends;
          const [link, peer] = await openBoth(ends);
          const writing = write(link, 1, 3000);
          await read(peer, 1, 20);
          relay.faults.cut = true;
          const timeout = { code: CloseCode.Timeout, remote: false };
          await expect(writing).rejects.toMatchObject({ code: 'closed', closeCode: CloseCode.Timeout });
          expect(await ours.closed).toMatchObject(timeout);
          expect(await theirs.closed).toMatchObject(timeout);
          for (let i = 20; ; i += 1) {
            const frame = await peer.receive().catch((error) => error);
            if (frame instanceof Uint8Array) expect(frame).toEqual(message(i));
            else {
              expect(frame).toMatchObject({ closeCode: CloseCode.Timeout });
              break;
            }
          }
          relay.faults.cut = false;
          expect((await redial()).remoteId).toBe(ours.remoteId);
        },
        { idleTimeoutMs, keepAliveMs: 200 },
      ),
    120_000,
  );
}
