import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { quicTransport } from '../src/quic/index.ts';
import { NativeStreams } from '../src/testing/native-streams.ts';
import { pattern, withPair } from '../src/testing/pair.ts';

const LINKS = 600;
let native: NativeStreams;

beforeEach(async () => {
  native = await NativeStreams.watch();
});

afterEach(() => native.stop());

it('the library forgets the streams of links that both sides finished, however many messages they carried', () =>
  withPair(quicTransport, async ({ connect }) => {
    const [ours, theirs] = await connect();
    for (let i = 0; i < LINKS; i += 1) {
      const [opener, acceptor] = i % 2 === 0 ? [ours, theirs] : [theirs, ours];
      const link = await opener.openLink();
      for (let n = 0; n < 3; n += 1) link.write(pattern(n * 900));
      const peer = await acceptor.acceptLink();
      for (let n = 0; n < 3; n += 1) await peer.send((await peer.receive()) ?? pattern(1));
      for (let n = 0; n < 3; n += 1) expect((await link.receive())?.length).toBe(n * 900);
      // The library forgets it only when the end was read too.
      await Promise.all([link.close(), peer.close()]);
      expect([await link.receive(), await peer.receive()]).toEqual([undefined, undefined]);
    }
    const lasting = await ours.openLink();
    await lasting.send(pattern(10));
    await (await theirs.acceptLink()).receive();
    // What is missing are acknowledgements of the last ones; the lasting one stays at both ends.
    await vi.waitFor(() => expect(native.count(LINKS)).toBe(2));
  }));
