import { CloseCode } from '@mosaik/wire';
import { seededRng, settle, VirtualClock } from '@mosaik/wire/testing';
import { expect, it } from 'vitest';
import { memoryTransport } from '../src/memory/index.ts';
import type { Connection, Endpoint } from '../src/ports.ts';
import { SecretKey } from '../src/secret-key.ts';

const ALPN = '/sim/1';
const A = '10.0.0.1:7400';
const B = '10.0.0.2:7400';

async function simulation(seed = 1, latencyMs: (from: string, to: string) => number = () => 5) {
  const clock = new VirtualClock();
  const rng = seededRng(seed);
  const { listen, network } = memoryTransport({ clock, rng });
  network.latencyMs = latencyMs;
  const at = (address: string, byte: number) => {
    const [host = '', port = ''] = address.split(':');
    const secretKey = SecretKey.from(new Uint8Array(32).fill(byte));
    return listen({ secretKey, host, port: Number(port), alpns: [ALPN], idleTimeoutMs: 1000 });
  };
  const run = async <T>(promise: Promise<T>): Promise<T> => {
    let done = false;
    void promise.then(
      () => (done = true),
      () => (done = true),
    );
    await clock.until(() => done);
    return promise;
  };
  const connect = async (a: Endpoint, b: Endpoint): Promise<[Connection, Connection]> => {
    const inbound = b.inbound(ALPN)[Symbol.asyncIterator]();
    const [ours, theirs] = await run(Promise.all([a.connect(b.addresses[0] ?? '', ALPN), inbound.next()]));
    return [ours, theirs.value];
  };
  return { clock, network, at, run, connect };
}

const frame = (content: number) => Uint8Array.of(content);

it('takes two round trips to connect and measures one', async () => {
  const { clock, at, connect } = await simulation(1, (from) => (from === A ? 3 : 7));
  const [ours, theirs] = await connect(await at(A, 1), await at(B, 2));
  expect(clock.nowMs()).toBe(20);
  expect([ours.rttMs, theirs.rttMs]).toEqual([10, 10]);
});

it('holds what is sent over a cut way until it is healed, in order', async () => {
  const { clock, network, at, run, connect } = await simulation();
  const [ours, theirs] = await connect(await at(A, 1), await at(B, 2));
  const link = await ours.openLink();
  link.write(frame(1));
  network.partition(A, B);
  link.write(frame(2));
  await clock.advance(500);
  network.heal(A, B);
  link.write(frame(3));
  const peer = await run(theirs.acceptLink());
  const frames = [await run(peer.receive()), await run(peer.receive()), await run(peer.receive())];
  expect(frames).toEqual([frame(1), frame(2), frame(3)]);
});

it('cuts one way only when asked to', async () => {
  const { clock, network, at, run, connect } = await simulation();
  const [ours, theirs] = await connect(await at(A, 1), await at(B, 2));
  network.partition(A, B, { oneWay: true });
  const [there, back] = [await ours.openLink(), await theirs.openLink()];
  there.write(frame(1));
  back.write(frame(2));
  const reached = await run(ours.acceptLink());
  expect(await run(reached.receive())).toEqual(frame(2));
  await clock.advance(2000);
  // The deaf side gives up silently; then the other hears nothing either.
  expect(await run(theirs.closed)).toMatchObject({ code: CloseCode.Timeout, remote: false });
  expect(await run(ours.closed)).toMatchObject({ code: CloseCode.Timeout, remote: false });
});

it('lets the peers of a crashed endpoint find out by their idle timeout, and frees its address', async () => {
  const { clock, network, at, connect } = await simulation();
  const a = await at(A, 1);
  const [ours, theirs] = await connect(a, await at(B, 2));
  const crashedMs = clock.nowMs();
  network.crash(B);
  expect((await theirs.closed).code).toBe(CloseCode.UnexpectedClose);
  let endedMs: number | undefined;
  void ours.closed.then(() => {
    endedMs = clock.nowMs();
  });
  await clock.until(() => endedMs !== undefined);
  expect(endedMs).toBe(crashedMs + 1000);
  const [again] = await connect(a, await at(B, 3));
  expect(again.remoteId).toBe(SecretKey.from(new Uint8Array(32).fill(3)).id);
});

it('tells the peers of a crashed endpoint at once when asked to', async () => {
  const { clock, network, at, connect } = await simulation();
  const [ours] = await connect(await at(A, 1), await at(B, 2));
  const crashedMs = clock.nowMs();
  network.crash(B, { notice: 'at-once' });
  expect(await ours.closed).toMatchObject({ code: CloseCode.UnexpectedClose, remote: false });
  expect(clock.nowMs()).toBe(crashedMs);
});

it('ends both sides of a severed connection with UnexpectedClose and leaves the endpoints alive', async () => {
  const { network, at, connect } = await simulation();
  const [a, b] = [await at(A, 1), await at(B, 2)];
  const [ours, theirs] = await connect(a, b);
  network.sever(B, A);
  expect((await ours.closed).code).toBe(CloseCode.UnexpectedClose);
  expect((await theirs.closed).code).toBe(CloseCode.UnexpectedClose);
  const [again] = await connect(a, b);
  expect(again.remoteId).toBe(b.id);
});

it('times out a dial over a cut way', async () => {
  const { network, at, run } = await simulation();
  const a = await at(A, 1);
  await at(B, 2);
  network.partition(A, B);
  await expect(run(a.connect(B, ALPN))).rejects.toMatchObject({ code: 'timeout' });
});

it('repeats a run exactly for the same seed', async () => {
  const trace = async (seed: number) => {
    const rng = seededRng(seed);
    const { clock, at, connect } = await simulation(seed, () => 1 + 20 * rng.float());
    const [ours, theirs] = await connect(await at(A, 1), await at(B, 2));
    const events: string[] = [];
    const links = await Promise.all([ours.openLink(), ours.openLink(), ours.openLink()]);
    for (let i = 0; i < 20; i += 1) links[i % 3]?.write(frame(i));
    const reading = (async () => {
      for (;;) {
        const link = await theirs.acceptLink();
        void (async () => {
          for (let got = await link.receive(); got; got = await link.receive())
            events.push(`${clock.nowMs()} ${got[0]}`);
        })().catch(() => {});
      }
    })().catch(() => {});
    await clock.until(() => events.length === 20);
    await ours.close(CloseCode.Success);
    await clock.advance(100);
    await settle();
    await reading;
    const secret = Buffer.from(ours.exportKeyingMaterial('EXPORTER-x', frame(0), 8)).toString('hex');
    return [...events, secret];
  };
  const first = await trace(7);
  expect(await trace(7)).toEqual(first);
  expect(await trace(8)).not.toEqual(first);
});
