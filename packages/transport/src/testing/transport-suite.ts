import assert from 'node:assert/strict';
import { CloseCode } from '@mosaik/wire';
import type { Connection, Transport } from '../ports.ts';
import { SecretKey } from '../secret-key.ts';
import { ALPN, accept, bytes, pattern, rejection, text, turn, withPair } from './pair.ts';

export interface TransportSuiteInit {
  name: string;
  /** Called once per fact. */
  createTransport: () => Transport;
  /** The runner's. */
  describe: (name: string, body: () => void) => void;
  it: (name: string, body: () => Promise<void>) => void;
}

/** What every transport must do, as facts in the given runner. */
export function runTransportSuite(init: TransportSuiteInit): void {
  const { name, createTransport, describe, it } = init;
  describe(`${name}: identity`, () => identityFacts(createTransport, it));
  describe(`${name}: links`, () => linkFacts(createTransport, it));
  describe(`${name}: closing`, () => closingFacts(createTransport, it));
  describe(`${name}: dialling`, () => diallingFacts(createTransport, it));
}

type It = TransportSuiteInit['it'];

function identityFacts(create: () => Transport, it: It): void {
  it('tells each side who the other is and which protocol they speak', () =>
    withPair(create(), async ({ a, b, connect }) => {
      const [ours, theirs] = await connect();
      assert.equal(ours.remoteId, b.id);
      assert.equal(theirs.remoteId, a.id);
      assert.deepEqual([ours.alpn, theirs.alpn], [ALPN, ALPN]);
      assert.deepEqual([ours.initiator, theirs.initiator], [true, false]);
    }));

  it('refuses a peer that is not the expected one and tells it 401', () =>
    withPair(create(), async ({ a, b, addressOfB }) => {
      const dial = a.connect(addressOfB, ALPN, { expect: SecretKey.generate().id });
      const [error, theirs] = await Promise.all([rejection(dial), accept(b)]);
      assert.equal(error.code, 'peer-mismatch');
      assert.equal((await theirs.closed).code, CloseCode.UnknownPeer);
    }));

  it('refuses a protocol that the peer does not speak', () =>
    withPair(create(), async ({ a, addressOfB }) => {
      assert.equal((await rejection(a.connect(addressOfB, '/other/1'))).code, 'alpn');
    }));

  it('exports keying material that both ends share and nothing else does (RFC 8446 §7.5)', () =>
    withPair(create(), async ({ connect }) => {
      const [first, firstPeer] = await connect();
      const [second] = await connect();
      const hex = (c: Connection, label: string, context: string, length = 32) =>
        Buffer.from(c.exportKeyingMaterial(label, bytes(context), length)).toString('hex');
      const base = hex(first, 'EXPORTER-suite', 'x');
      assert.equal(base.length, 64);
      assert.equal(hex(firstPeer, 'EXPORTER-suite', 'x'), base);
      assert.equal(hex(first, 'EXPORTER-suite', 'x', 100), hex(firstPeer, 'EXPORTER-suite', 'x', 100));
      const others = [
        hex(first, 'EXPORTER-other', 'x'),
        hex(first, 'EXPORTER-suite', 'y'),
        hex(second, 'EXPORTER-suite', 'x'),
      ];
      assert.equal(new Set([base, ...others]).size, 4);
      assert.throws(() => first.exportKeyingMaterial('', bytes('x'), 32), RangeError);
      assert.throws(() => first.exportKeyingMaterial('EXPORTER-suite', bytes('x'), 0), RangeError);
    }));
}

function linkFacts(create: () => Transport, it: It): void {
  it('carries frames in order and in both directions, empty ones included', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const link = await ours.openLink();
      for (const frame of ['one', '', 'three']) await link.send(bytes(frame));
      const peer = await theirs.acceptLink();
      for (const frame of ['one', '', 'three']) assert.equal(text(await peer.receive()), frame);
      await peer.send(bytes('back'));
      assert.equal(text(await link.receive()), 'back');
    }));

  it('opens links from either side', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const [one, two] = [await ours.openLink(), await theirs.openLink({ priority: 'high' })];
      one.write(bytes('from the dialler'));
      two.write(bytes('from the acceptor'));
      assert.equal(text(await (await theirs.acceptLink()).receive()), 'from the dialler');
      assert.equal(text(await (await ours.acceptLink()).receive()), 'from the acceptor');
    }));

  it('shows a link to the peer with its first frame, whatever was opened before it', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const silent = await ours.openLink();
      const spoken = await ours.openLink();
      spoken.write(bytes('spoken'));
      assert.equal(text(await (await theirs.acceptLink()).receive()), 'spoken');
      silent.write(bytes('late'));
      assert.equal(text(await (await theirs.acceptLink()).receive()), 'late');
    }));

  it('keeps many links apart', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const echo = async () => {
        for (let i = 0; i < 200; i += 1) {
          const link = await theirs.acceptLink();
          const frame = await link.receive();
          assert.ok(frame);
          await link.send(frame);
          await link.close();
          assert.equal(await link.receive(), undefined);
        }
      };
      const ask = async (index: number) => {
        const link = await ours.openLink();
        await link.send(bytes(`link ${index}`));
        await link.close();
        assert.equal(text(await link.receive()), `link ${index}`);
        assert.equal(await link.receive(), undefined);
      };
      await Promise.all([echo(), ...Array.from({ length: 200 }, (_, index) => ask(index))]);
    }));

  it('carries a frame of 16 MiB', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const frame = pattern(16 * 1024 * 1024);
      const link = await ours.openLink();
      const [received] = await Promise.all([
        theirs.acceptLink().then((peer) => peer.receive()),
        link.send(frame),
      ]);
      assert.equal(Buffer.compare(received ?? new Uint8Array(), frame), 0);
    }));

  it('hands out every frame that is there as one batch, and an empty one at the end', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const link = await ours.openLink();
      for (let i = 0; i < 5000; i += 1) link.write(bytes(`frame ${i}`));
      await link.close();
      const peer = await theirs.acceptLink();
      let count = 0;
      for (let batch = await peer.receiveBatch(); batch.length > 0; batch = await peer.receiveBatch()) {
        for (const frame of batch) assert.equal(text(frame), `frame ${count++}`);
      }
      assert.equal(count, 5000);
    }));

  it('ends the connection with 400 when a frame above the limit is announced', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const link = await ours.openLink();
      link.write(bytes('fits'));
      link.write(new Uint8Array(2000));
      const peer = await theirs.acceptLink();
      peer.maxFrameBytes = 1000;
      assert.equal(text(await peer.receive()), 'fits');
      const error = await rejection(peer.receive());
      assert.equal(error.closeCode, CloseCode.ProtocolViolation);
      assert.deepEqual({ ...(await ours.closed), reason: '' }, { code: 400, reason: '', remote: true });
      assert.equal((await theirs.closed).remote, false);
    }));

  it('refuses to write a frame above its own limit', () =>
    withPair(create(), async ({ connect }) => {
      const [ours] = await connect();
      const link = await ours.openLink();
      link.maxFrameBytes = 10;
      assert.equal((await rejection(link.send(new Uint8Array(11)))).code, 'too-large');
      assert.throws(() => link.write(new Uint8Array(11)), { code: 'too-large' });
    }));

  it('makes a writer wait for a slow reader and loses nothing', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const link = await ours.openLink();
      const frame = pattern(64 * 1024);
      let sent = 0;
      while (link.write(frame)) {
        sent += 1;
        assert.ok(sent < 10_000, 'the writer is never asked to wait');
        await turn();
      }
      sent += 1;
      assert.ok(link.queuedBytes < 4 * 1024 * 1024, `${link.queuedBytes} bytes are queued`);
      const peer = await theirs.acceptLink();
      for (let i = 0; i < sent; i += 1) assert.equal((await peer.receive())?.length, frame.length);
      await link.drained();
      assert.ok(link.write(bytes('more')));
      assert.equal(text(await peer.receive()), 'more');
    }));

  it('does not deadlock when both sides send more than a window before they read', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const link = await ours.openLink();
      link.write(bytes('hello'));
      const peer = await theirs.acceptLink();
      assert.equal(text(await peer.receive()), 'hello');
      const chunk = pattern(256 * 1024);
      const exchange = async (end: typeof link) => {
        const writing = (async () => {
          for (let i = 0; i < 96; i += 1) await end.send(chunk);
        })();
        for (let i = 0; i < 96; i += 1) assert.equal((await end.receive())?.length, chunk.length);
        await writing;
      };
      await Promise.all([exchange(link), exchange(peer)]);
    }));

  it('stops waiting when the signal aborts, and loses no frame by it', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const controller = new AbortController();
      const accepting = rejection(theirs.acceptLink({ signal: controller.signal }));
      controller.abort(new Error('enough'));
      assert.equal((await accepting).message, 'enough');
      const link = await ours.openLink();
      link.write(bytes('one'));
      const peer = await theirs.acceptLink();
      assert.equal(text(await peer.receive()), 'one');
      const second = new AbortController();
      const receiving = rejection(peer.receive({ signal: second.signal }));
      second.abort(new Error('enough again'));
      assert.equal((await receiving).message, 'enough again');
      link.write(bytes('two'));
      assert.equal(text(await peer.receive()), 'two');
    }));
}

function closingFacts(create: () => Transport, it: It): void {
  for (const closer of ['dialler', 'acceptor'] as const) {
    it(`tells the code and reason of the ${closer} to the other side`, () =>
      withPair(create(), async ({ connect }) => {
        for (const code of [0, CloseCode.InvalidProof, CloseCode.AlreadyBonded, Number.MAX_SAFE_INTEGER]) {
          const [ours, theirs] = await connect();
          const [closing, told] = closer === 'dialler' ? [ours, theirs] : [theirs, ours];
          await closing.close(code, `because ${code}`);
          assert.deepEqual(await told.closed, { code, reason: `because ${code}`, remote: true });
          assert.deepEqual(await closing.closed, { code, reason: `because ${code}`, remote: false });
        }
      }));
  }

  it('refuses a close code that no connection can carry', () =>
    withPair(create(), async ({ connect }) => {
      const [ours] = await connect();
      for (const code of [-1, 0.5, 2 ** 53, 2 ** 62 - 1, Number.NaN]) {
        assert.ok((await rejection(ours.close(code))) instanceof RangeError);
      }
    }));

  it('cuts a long reason and still tells the code', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      await ours.close(CloseCode.NotAllowed, 'ü'.repeat(3000));
      assert.deepEqual(await theirs.closed, {
        code: CloseCode.NotAllowed,
        reason: 'ü'.repeat(128),
        remote: true,
      });
    }));

  it('delivers what was written before a close, then fails with its code', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const link = await ours.openLink();
      for (let i = 0; i < 300; i += 1) link.write(pattern(1000, i + 1));
      await ours.close(CloseCode.Success, 'done');
      const peer = await theirs.acceptLink();
      for (let i = 0; i < 300; i += 1) assert.deepEqual(await peer.receive(), pattern(1000, i + 1));
      const error = await rejection(peer.receive());
      assert.deepEqual([error.code, error.closeCode], ['closed', CloseCode.Success]);
      assert.equal((await rejection(theirs.acceptLink())).closeCode, CloseCode.Success);
      assert.equal((await rejection(theirs.openLink())).closeCode, CloseCode.Success);
    }));

  it('fails what waits on the side that closes', () =>
    withPair(create(), async ({ connect }) => {
      const [ours] = await connect();
      const link = await ours.openLink();
      const waiting = [rejection(link.receive()), rejection(ours.acceptLink())];
      await ours.close(CloseCode.Cancelled);
      for (const error of await Promise.all(waiting)) assert.equal(error.code, 'closed');
      assert.equal((await rejection(link.send(bytes('late')))).code, 'closed');
      assert.equal(link.write(bytes('late')), false);
    }));

  it('finishes one direction of a link and keeps the other open', () =>
    withPair(create(), async ({ connect }) => {
      const [ours, theirs] = await connect();
      const link = await ours.openLink();
      link.write(bytes('question'));
      await link.close();
      const peer = await theirs.acceptLink();
      assert.equal(text(await peer.receive()), 'question');
      assert.equal(await peer.receive(), undefined);
      await peer.send(bytes('answer'));
      assert.equal(text(await link.receive()), 'answer');
      assert.equal((await rejection(link.send(bytes('more')))).code, 'closed');
    }));

  it('ends everything with 204 when the endpoint closes', () =>
    withPair(create(), async ({ a, b, addressOfB, connect }) => {
      const [ours, theirs] = await connect();
      const listening = (async () => {
        for await (const _ of b.inbound(ALPN)) assert.fail('nobody dialled');
      })();
      await b.close();
      await listening;
      assert.equal((await ours.closed).code, CloseCode.GracefulShutdown);
      assert.equal((await theirs.closed).remote, false);
      assert.equal((await rejection(b.connect(addressOfB, ALPN))).code, 'closed');
      await a.close();
      await a.close();
    }));

  it('keeps a quiet connection alive beyond its idle timeout', () =>
    withPair(
      create(),
      async ({ connect }) => {
        const [ours, theirs] = await connect();
        const link = await ours.openLink();
        link.write(bytes('still here'));
        assert.equal(text(await (await theirs.acceptLink()).receive()), 'still here');
        const reason = await Promise.race([ours.closed, hostTurns(1300).then(() => undefined)]);
        assert.equal(reason, undefined);
      },
      { idleTimeoutMs: 1000, keepAliveMs: 200 },
    ));
}

function diallingFacts(create: () => Transport, it: It): void {
  it('dials in both directions at once', () =>
    withPair(create(), async ({ a, b, addressOfB }) => {
      const addressOfA = a.addresses[0] ?? '';
      const dials = Array.from({ length: 10 }, () => [
        a.connect(addressOfB, ALPN),
        b.connect(addressOfA, ALPN),
      ]).flat();
      const accepted = Promise.all(Array.from({ length: 20 }, (_, i) => accept(i % 2 === 0 ? a : b)));
      for (const connection of await Promise.all(dials)) {
        const link = await connection.openLink();
        await link.send(bytes(connection.remoteId));
      }
      for (const connection of await accepted) {
        const frame = text(await (await connection.acceptLink()).receive());
        assert.ok(frame === a.id || frame === b.id);
        assert.notEqual(frame, connection.remoteId);
      }
    }));

  it('gives up on a port where nobody listens', () =>
    withPair(
      create(),
      async ({ a, b, addressOfB }) => {
        await b.close();
        assert.equal((await rejection(a.connect(addressOfB, ALPN))).code, 'timeout');
      },
      { handshakeTimeoutMs: 200 },
    ));

  it('gives up when the signal aborts, before or during the dial', () =>
    withPair(create(), async ({ a, b, addressOfB }) => {
      const reason = new Error('changed my mind');
      assert.equal(
        await rejection(a.connect(addressOfB, ALPN, { signal: AbortSignal.abort(reason) })),
        reason,
      );
      await b.close();
      const controller = new AbortController();
      const dial = rejection(a.connect(addressOfB, ALPN, { signal: controller.signal }));
      await turn();
      controller.abort(reason);
      assert.equal(await dial, reason);
    }));

  it('refuses addresses that are none, and ports in use', () =>
    withPair(create(), async ({ a, b, addressOfB }) => {
      for (const address of ['', 'localhost', '127.0.0.1:0', '127.0.0.1:70000', '::1:7400', '[nonsense]:1']) {
        assert.equal((await rejection(a.connect(address, ALPN))).code, 'address-invalid', address);
      }
      const port = Number(addressOfB.split(':').at(-1));
      const init = { secretKey: SecretKey.generate(), host: '127.0.0.1', port, alpns: [ALPN] };
      assert.equal((await rejection(create().listen(init))).code, 'address-in-use');
      assert.throws(() => b.inbound('/unknown/1'), TypeError);
    }));

  it('refuses options out of range by name', async () => {
    const init = { secretKey: SecretKey.generate(), host: '127.0.0.1', alpns: [ALPN] };
    const wrong = {
      idleTimeoutMs: 0,
      keepAliveMs: -1,
      maxFrameBytes: 0,
      maxDatagramBytes: 1199,
      loopbackDatagramBytes: 16_384,
    };
    for (const [field, value] of Object.entries(wrong)) {
      const error = await rejection(create().listen({ ...init, [field]: value }));
      assert.ok(error instanceof RangeError && String(error.message).includes(field), field);
    }
    assert.ok((await rejection(create().listen({ ...init, alpns: [] }))) instanceof TypeError);
  });
}

/** Lets the host's loop turn for that long: what is waited for here is that nothing happens. */
async function hostTurns(durationMs: number): Promise<void> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < durationMs) await new Promise((resolve) => setTimeout(resolve, 20));
}
