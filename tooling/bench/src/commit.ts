import { consensus, GroupKey, keyValue, Network } from '@mosaik/network';
import type { Transport } from '@mosaik/transport';
import { quicTransport } from '@mosaik/transport/quic';
import { type Bench, type BenchContext, type Child, median, percentile } from '../lib/bench.ts';

type Parent = Omit<Child, 'stop'>;

const MEMBERS = 3;
const ROUNDS = 3;
const SEQUENTIAL = 2000;
const IN_FLIGHT: readonly { width: number; commands: number }[] = [
  { width: 64, commands: 30_000 },
  { width: 512, commands: 100_000 },
];
/** With its key, a `Put` of so many bytes is a command of 100. */
const VALUE_BYTES = 88;
const KEYS = 1000;

interface Start {
  key: string;
  bootstrap: string[];
  datagramBytes: number;
}

/** What one round at the leader measured. */
interface Result {
  p50Ms: number;
  p99Ms: number;
  /** Commands per second, by width. */
  perSecond: Record<number, number>;
}

/** A process with a whole node in it; the one that leads measures. */
async function member(parent: Parent): Promise<void> {
  const { key, bootstrap, datagramBytes } = await parent.next<Start>();
  const transport: Transport = {
    listen: (init) => quicTransport.listen({ ...init, loopbackDatagramBytes: datagramBytes }),
  };
  const network = await Network.create({
    networkId: 'bench',
    listen: { host: '127.0.0.1' },
    transport,
    discovery: { bootstrap },
  });
  parent.send(network.addresses[0]);
  const group = network.groups
    .withKey(GroupKey.from(key))
    .withStateMachine(keyValue())
    .withConsensus(consensus({ bootstrapDelayMs: 500 }))
    .join();
  await group.when.bonds(MEMBERS - 1);
  await group.when.online();
  // The view grows one member at a time: commits with fewer copies would not be what is claimed.
  while (group.status.value.members.length < MEMBERS) await group.status.changed();
  parent.send(group.isLeader);

  const value = new Uint8Array(VALUE_BYTES).fill(7);
  const execute = (i: number) => group.execute({ type: 'Put', key: `key-${1000 + (i % KEYS)}`, value });
  for (;;) {
    await parent.next();
    for (let i = 0; i < SEQUENTIAL; i += 1) await execute(i);
    const times = new Float64Array(SEQUENTIAL);
    for (let i = 0; i < SEQUENTIAL; i += 1) {
      const startedMs = performance.now();
      await execute(i);
      times[i] = performance.now() - startedMs;
    }
    times.sort();
    const perSecond: Record<number, number> = {};
    for (const { width, commands } of IN_FLIGHT) {
      await pump(execute, width, Math.ceil(commands / 8));
      const startedMs = performance.now();
      await pump(execute, width, commands);
      perSecond[width] = (commands * 1000) / (performance.now() - startedMs);
    }
    const result: Result = { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99), perSecond };
    parent.send(result);
  }
}

/** Keeps `width` commands in flight until `commands` are done. */
async function pump(
  execute: (i: number) => Promise<unknown>,
  width: number,
  commands: number,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < commands) {
      const i = next;
      next += 1;
      await execute(i);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

async function run({ report, start }: BenchContext): Promise<void> {
  for (const { label, datagramBytes } of [
    { label: '1350 B datagrams', datagramBytes: 1350 },
    { label: 'large datagrams', datagramBytes: 16_383 },
  ]) {
    const key = GroupKey.generate();
    const children: Child[] = [];
    const bootstrap: string[] = [];
    for (let i = 0; i < MEMBERS; i += 1) {
      const child = start('member');
      child.send({
        key: Buffer.from(key.exportBytes()).toString('hex'),
        bootstrap,
        datagramBytes,
      } satisfies Start);
      bootstrap.push(await child.next<string>());
      children.push(child);
    }
    const leads = await Promise.all(children.map((child) => child.next<boolean>()));
    const leader = children[leads.indexOf(true)];
    if (!leader) throw new Error('no member leads');
    const results: Result[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      leader.send('measure');
      results.push(await leader.next<Result>());
    }
    const of = (read: (result: Result) => number) => median(results.map(read));
    report({ metric: `leader sequential p50, ${label}`, value: of((result) => result.p50Ms), unit: 'ms' });
    report({ metric: `leader sequential p99, ${label}`, value: of((result) => result.p99Ms), unit: 'ms' });
    for (const { width } of IN_FLIGHT) {
      const value = of((result) => result.perSecond[width] ?? Number.NaN);
      report({ metric: `leader throughput ${width} in flight, ${label}`, value, unit: '/s' });
    }
    await Promise.all(children.map((child) => child.stop()));
  }
}

/** Three member processes over QUIC, commands of 100 bytes executed at the leader, memory log. */
export const bench: Bench = { name: 'commit', roles: { member }, run };
