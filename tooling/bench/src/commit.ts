import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, type BenchContext, median, type Parent } from '../lib/bench.ts';
import { EtcdClient, EtcdCluster, etcdInstalled } from '../lib/etcd.ts';
import { type FloorStart, floorFollower, floorLeader } from '../lib/floor.ts';
import { type Command, type Latency, sequential, throughput } from '../lib/load.ts';
import { askSequential, askThroughput, keyOf, Members, member, VALUE } from '../lib/member.ts';

const ROUNDS = 5;
const SEQUENTIAL = 1000;
const SEQUENTIAL_TURNS = 4;
const WIDTHS: readonly { width: number; commands: number }[] = [
  { width: 64, commands: 20_000 },
  { width: 512, commands: 60_000 },
];
const READ_WIDTH = 64;
const DURABLE_SEQUENTIAL = 500;
/** etcd is slower by so much that as many commands would take minutes. */
const ETCD_SHARE = 1 / 8;

/** What one peer measures in one round; each is asked for in turn, so that all meet the same machine. */
interface Contender {
  readonly name: string;
  sequential(): Promise<Latency>;
  throughput(width: number, commands: number): Promise<number>;
}

interface FloorOrder {
  type: 'sequential' | 'throughput';
  width: number;
  commands: number;
}

async function floorLeaderRole(parent: Parent): Promise<void> {
  const floor = await floorLeader(await parent.next<FloorStart>());
  const execute: Command = (i) => floor.execute(keyOf(i), VALUE);
  for (;;) {
    const order = await parent.next<FloorOrder>();
    parent.send(
      order.type === 'sequential'
        ? await sequential(execute, order.commands)
        : await throughput(execute, order.width, order.commands),
    );
  }
}

async function startFloor({ start }: BenchContext, datagramBytes: number) {
  const followers = [start('floorFollower'), start('floorFollower')];
  const addresses: string[] = [];
  for (const follower of followers) {
    follower.send({ datagramBytes } satisfies FloorStart);
    addresses.push(await follower.next<string>());
  }
  const leader = start('floorLeader');
  leader.send({ datagramBytes, followers: addresses } satisfies FloorStart);
  const ask = <T>(order: FloorOrder) => {
    leader.send(order);
    return leader.next<T>();
  };
  return {
    name: 'floor',
    sequential: () => ask<Latency>({ type: 'sequential', width: 1, commands: SEQUENTIAL }),
    throughput: (width: number, commands: number) => ask<number>({ type: 'throughput', width, commands }),
    stop: () => Promise.all([leader, ...followers].map((child) => child.stop())),
  };
}

/** Its client at the leader, as ours is. */
async function startEtcd(directory: string) {
  const cluster = await EtcdCluster.start({ directory });
  const client = new EtcdClient((await cluster.leader()).clientPort);
  const put: Command = (i) => client.put(keyOf(i), VALUE);
  const get: Command = (i) => client.get(keyOf(i));
  return {
    name: 'etcd',
    sequential: () => sequential(put, SEQUENTIAL * ETCD_SHARE),
    throughput: (width: number, commands: number) => throughput(put, width, commands * ETCD_SHARE),
    reads: (width: number, commands: number) => throughput(get, width, commands * ETCD_SHARE),
    stop: async () => {
      client.close();
      await cluster.stop();
    },
  };
}

async function run(context: BenchContext): Promise<void> {
  await inMemory(context);
  await durable(context);
}

async function inMemory(context: BenchContext): Promise<void> {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const etcd = etcdInstalled() ? await startEtcd(memory) : undefined;
  for (const { label, datagramBytes } of [
    { label: '1350 B datagrams', datagramBytes: 1350 },
    { label: 'large datagrams', datagramBytes: 16_383 },
  ]) {
    const members = await Members.start(context, { datagramBytes, consensus: {} });
    const leader = await members.leader();
    const follower = await members.follower();
    const floor = await startFloor(context, datagramBytes);
    const samples = new Samples();
    const ours: Contender = {
      name: 'ours',
      sequential: () => askSequential(leader, 'put', SEQUENTIAL),
      throughput: (width, commands) => askThroughput(leader, 'put', width, commands),
    };
    for (let round = 0; round <= ROUNDS; round += 1) {
      // In the first round code is still being compiled, ours and the floor's: a member runs for longer than that.
      if (round === 1) samples.clear();
      // Where the scheduler puts three processes on two cores changes every few seconds, and with it what one command takes.
      for (let turn = 0; turn < SEQUENTIAL_TURNS; turn += 1)
        for (const contender of [ours, floor, ...(etcd ? [etcd] : [])]) {
          const { p50Ms, p99Ms } = await contender.sequential();
          samples.add('leader sequential p50', contender.name, p50Ms);
          samples.add('leader sequential p99', contender.name, p99Ms);
        }
      const through = await askSequential(follower, 'put', SEQUENTIAL);
      samples.add('follower sequential p50', 'ours', through.p50Ms);
      for (const { width, commands } of WIDTHS) {
        for (const contender of [ours, floor, ...(etcd ? [etcd] : [])])
          samples.add(
            `leader throughput ${width} in flight`,
            contender.name,
            await contender.throughput(width, commands),
          );
      }
      const reads = `strong reads throughput ${READ_WIDTH} in flight`;
      samples.add(reads, 'ours', await askThroughput(leader, 'get', READ_WIDTH, 40_000));
      if (etcd) samples.add(reads, 'etcd', await etcd.reads(READ_WIDTH, 40_000));
    }
    samples.report(context, label);
    await floor.stop();
    await members.stop();
  }
  await etcd?.stop();
}

/** Logs on disk, ours and etcd's on the same one. */
async function durable(context: BenchContext): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'mosaik-bench-commit-'));
  const etcd = etcdInstalled() ? await startEtcd(directory) : undefined;
  const members = await Members.start(context, { datagramBytes: 1350, consensus: {}, directory });
  const leader = await members.leader();
  const samples = new Samples();
  for (let round = 0; round <= ROUNDS; round += 1) {
    if (round === 1) samples.clear();
    const { p50Ms } = await askSequential(leader, 'put', DURABLE_SEQUENTIAL);
    samples.add('durable leader sequential p50', 'ours', p50Ms);
    if (etcd) samples.add('durable leader sequential p50', 'etcd', (await etcd.sequential()).p50Ms);
    for (const { width, commands } of WIDTHS) {
      const metric = `durable leader throughput ${width} in flight`;
      samples.add(metric, 'ours', await askThroughput(leader, 'put', width, commands / 2));
      if (etcd) samples.add(metric, 'etcd', await etcd.throughput(width, commands / 2));
    }
  }
  samples.report(context, '1350 B datagrams');
  await members.stop();
  await etcd?.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** Measurements by metric and contender; medians are reported, ratios are those of the same round. */
class Samples {
  readonly #samples = new Map<string, Map<string, number[]>>();

  add(metric: string, contender: string, value: number): void {
    const byContender = this.#samples.get(metric) ?? new Map<string, number[]>();
    this.#samples.set(metric, byContender);
    byContender.set(contender, [...(byContender.get(contender) ?? []), value]);
  }

  clear(): void {
    this.#samples.clear();
  }

  report({ report }: BenchContext, label: string): void {
    for (const [name, byContender] of this.#samples) {
      const metric = `${name}, ${label}`;
      const unit = name.includes('throughput') ? '/s' : 'ms';
      const ours = byContender.get('ours') ?? [];
      report({ metric, value: median(ours), unit });
      for (const [peer, values] of byContender) {
        if (peer === 'ours') continue;
        const ratio = median(ours.map((value, i) => value / (values[i] ?? Number.NaN)));
        report({ metric, value: median(ours), unit, peer, ratio, peerValue: median(values) });
      }
    }
  }
}

/** Three member processes over QUIC, commands of 100 bytes; beside them a floor and etcd. */
export const bench: Bench = {
  name: 'commit',
  roles: { member, floorLeader: floorLeaderRole, floorFollower },
  run,
};
