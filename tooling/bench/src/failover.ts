import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type Bench, type BenchContext, median } from '../lib/bench.ts';
import { EtcdClient, EtcdCluster, end, etcdInstalled } from '../lib/etcd.ts';
import { monotonicNs, type Outage, probe } from '../lib/load.ts';
import { ask, keyOf, Members, member, VALUE } from '../lib/member.ts';

const FAST = {
  heartbeatIntervalMs: 20,
  heartbeatJitterMs: 5,
  electionTimeoutMs: 200,
  electionTimeoutJitterMs: 100,
};
const DEFAULT_ROUNDS = 3;

const NEXT = { name: 'to next write', read: ({ nextMs }: Outage) => nextMs };
const PAUSE = { name: 'longest pause', read: ({ pauseMs }: Outage) => pauseMs };

type End = 'SIGKILL' | 'SIGTERM';

/** Ends the leader while another member writes. The member that is gone is replaced before this returns. */
async function ours(members: Members, signal: End): Promise<Outage> {
  const leader = await members.leader();
  const writer = await members.follower();
  await ask<boolean>(writer, { type: 'probe' });
  const atNs = monotonicNs();
  leader.kill(signal);
  writer.send(atNs);
  const outage = await writer.next<Outage>();
  members.remove(leader);
  await leader.stop();
  await members.add();
  await members.full();
  return outage;
}

async function theirs(cluster: EtcdCluster, signal: End): Promise<Outage> {
  const leader = await cluster.leader();
  const follower = await cluster.follower();
  const client = new EtcdClient(follower.clientPort);
  const probing = probe((i) => client.put(keyOf(i), VALUE));
  await probing.begun;
  const atNs = monotonicNs();
  const ended = end(leader.process(), signal);
  const outage = await probing.since(atNs);
  client.close();
  await ended;
  leader.start();
  await cluster.leader();
  return outage;
}

async function run(context: BenchContext): Promise<void> {
  const { report } = context;
  const slow = await Members.start(context, { datagramBytes: 1350, consensus: {} });
  const defaults: number[] = [];
  for (let i = 0; i < DEFAULT_ROUNDS; i += 1) defaults.push((await ours(slow, 'SIGKILL')).nextMs);
  await slow.stop();
  report({ metric: 'SIGKILL to next write p50, default timings', value: median(defaults), unit: 'ms' });
  report({
    metric: 'SIGKILL to next write, longest, default timings',
    value: Math.max(...defaults),
    unit: 'ms',
  });

  const members = await Members.start(context, { datagramBytes: 1350, consensus: FAST });
  const etcd = etcdInstalled()
    ? await EtcdCluster.start({
        directory: existsSync('/dev/shm') ? '/dev/shm' : tmpdir(),
        heartbeatIntervalMs: FAST.heartbeatIntervalMs,
        electionTimeoutMs: FAST.electionTimeoutMs,
      })
    : undefined;
  for (const { signal, rounds, metrics } of [
    { signal: 'SIGKILL', rounds: 11, metrics: [NEXT] },
    // Differences are a fraction of what one round varies by.
    { signal: 'SIGTERM', rounds: 31, metrics: [NEXT, PAUSE] },
  ] as const) {
    const own: Outage[] = [];
    const peer: Outage[] = [];
    for (let i = 0; i < rounds; i += 1) {
      own.push(await ours(members, signal));
      if (etcd) peer.push(await theirs(etcd, signal));
    }
    for (const { name, read } of metrics) {
      const metric = `${signal} ${name} p50, 20/200 ms timings`;
      const value = median(own.map(read));
      report({ metric, value, unit: 'ms' });
      if (!etcd) continue;
      const peerValue = median(peer.map(read));
      report({ metric, value, unit: 'ms', peer: 'etcd', ratio: value / peerValue, peerValue });
    }
  }
  await etcd?.stop();
  await members.stop();
}

/** Three member processes, the leader ended by a signal: how long until another member's writes succeed again. */
export const bench: Bench = { name: 'failover', roles: { member }, run };
