import { expect, it } from 'vitest';
import { quicTransport } from '../src/quic/index.ts';
import { pattern, withPair } from '../src/testing/pair.ts';

const MIB = 2 ** 20;

it('holds a writer within 6 MiB of a reader that reads slowly: 1 MiB queued, 4 MiB of window, one frame', () =>
  withPair(quicTransport, async ({ connect }) => {
    const [ours, theirs] = await connect();
    const link = await ours.openLink();
    const frame = pattern(MIB / 4);
    let sentBytes = 0;
    let readBytes = 0;
    let mostAhead = 0;
    const writing = (async () => {
      while (sentBytes < 64 * MIB) {
        const sending = link.send(frame);
        // The frame is held from now on, whenever the promise settles.
        sentBytes += frame.length;
        mostAhead = Math.max(mostAhead, sentBytes - readBytes);
        await sending;
      }
      await link.close();
    })();
    const peer = await theirs.acceptLink();
    // Nothing is read yet: the writer gets at least as far as its queue.
    while (mostAhead < MIB) await new Promise((resolve) => setImmediate(resolve));
    // From now on reads only once the writer waits: nothing more leaves its queue for many turns.
    for (;;) {
      for (let still = 0, before = -1; still < 50 && sentBytes < 64 * MIB; still += 1) {
        const state = sentBytes - link.queuedBytes;
        if (state !== before) still = 0;
        before = state;
        await new Promise((resolve) => setImmediate(resolve));
      }
      const received = await peer.receive();
      if (!received) break;
      readBytes += received.length;
    }
    await writing;
    expect(readBytes).toBe(64 * MIB);
    expect(mostAhead).toBeLessThanOrEqual(6 * MIB);
  }));

for (const from of ['dialler', 'acceptor'] as const) {
  it(`answers heartbeats of a high-priority link while 16 MiB of the ${from} are on their way on another`, () =>
    withPair(
      quicTransport,
      async ({ connect }) => {
        const ends = await connect();
        const [ours, theirs] = from === 'dialler' ? ends : [ends[1], ends[0]];
        const beats = await ours.openLink({ priority: 'high' });
        beats.write(Uint8Array.of(0));
        const answers = await theirs.acceptLink();
        answers.priority = 'high';
        await answers.receive();
        const bulk = await ours.openLink();
        bulk.write(Uint8Array.of(0));
        const sink = await theirs.acceptLink();
        await sink.receive();

        const large = pattern(16 * MIB);
        let arrived = false;
        const receiving = sink.receive().then((frame) => {
          arrived = true;
          return frame;
        });
        const echo = (async () => {
          for (let beat = await answers.receive(); beat; beat = await answers.receive()) answers.write(beat);
        })();
        bulk.write(large);
        let answered = 0;
        while (!arrived) {
          beats.write(Uint8Array.of(answered & 0xff));
          expect(await beats.receive()).toEqual(Uint8Array.of(answered & 0xff));
          answered += 1;
        }
        expect(Buffer.compare((await receiving) ?? Buffer.of(), large)).toBe(0);
        // Behind the message there would be one.
        expect(answered).toBeGreaterThan(20);
        await beats.close();
        await echo;
      },
      { loopbackDatagramBytes: 1350 },
    ));
}
