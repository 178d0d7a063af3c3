import { setTimeout as sleep } from 'node:timers/promises';
import type { Rng } from '@mosaik/wire/runtime';
import type { Cluster } from './cluster.ts';
import type { Links } from './links.ts';

type Fault = (cluster: Cluster, rng: Rng, forMs: number) => Promise<string>;

const int = (rng: Rng, below: number): number => Math.floor(rng.float() * below);

/** A random order of the members. */
function shuffled(cluster: Cluster, rng: Rng): number[] {
  const order = cluster.members.map((_, i) => i);
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = int(rng, i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

async function separate(cluster: Cluster, side: readonly number[]): Promise<string> {
  const rest = cluster.members.map((_, i) => i).filter((i) => !side.includes(i));
  for (const a of side) for (const b of rest) await cluster.links.cut(a, b);
  return `cut ${side.map((i) => `n${i}`).join(' ')} off`;
}

/** What may happen to a group. Each says what it did; what it did lasts `forMs`, or until the round ends. */
const FAULTS: Readonly<Record<string, Fault>> = {
  async killOne(cluster, rng, forMs) {
    const victim = int(rng, cluster.members.length);
    await cluster.kill(victim);
    await sleep(forMs);
    await cluster.start(victim);
    return `killed n${victim}, started it ${forMs} ms later`;
  },
  async killLeader(cluster, _rng, forMs) {
    const leader = await cluster.leader();
    await cluster.kill(leader);
    await sleep(forMs);
    await cluster.start(leader);
    return `killed the leader n${leader}, started it ${forMs} ms later`;
  },
  async killAll(cluster, rng, forMs) {
    await Promise.all(cluster.members.map((_, i) => cluster.kill(i)));
    const order = shuffled(cluster, rng);
    await Promise.all(
      order.map(async (i, place) => {
        await sleep(place * int(rng, 1 + forMs / 8));
        await cluster.start(i);
      }),
    );
    return 'killed all at once, started them again';
  },
  async killAMajority(cluster, rng, forMs) {
    const victims = shuffled(cluster, rng).slice(0, (cluster.members.length >> 1) + 1);
    await Promise.all(victims.map((i) => cluster.kill(i)));
    await sleep(forMs / 2);
    await Promise.all(victims.map((i) => cluster.start(i)));
    return `killed ${victims.map((i) => `n${i}`).join(' ')} at once, started them ${forMs / 2} ms later`;
  },
  async stopLeader(cluster, _rng, forMs) {
    const leader = await cluster.leader();
    cluster.members[leader]?.pause();
    await sleep(forMs);
    cluster.members[leader]?.resume();
    return `stopped the leader n${leader} for ${forMs} ms`;
  },
  async stopOne(cluster, rng, forMs) {
    const victim = int(rng, cluster.members.length);
    cluster.members[victim]?.pause();
    await sleep(forMs);
    cluster.members[victim]?.resume();
    return `stopped n${victim} for ${forMs} ms`;
  },
  async cutLeader(cluster, _rng, forMs) {
    const said = await separate(cluster, [await cluster.leader()]);
    await sleep(forMs);
    return `${said}, the leader`;
  },
  async cutHalf(cluster, rng, forMs) {
    const said = await separate(cluster, shuffled(cluster, rng).slice(0, cluster.members.length >> 1));
    await sleep(forMs);
    return said;
  },
  async cutPair(cluster, rng, forMs) {
    const [a = 0, b = 0] = shuffled(cluster, rng);
    await cluster.links.cut(a, b);
    await sleep(forMs);
    return `cut n${a} from n${b}`;
  },
  async cutAndStopLeader(cluster, _rng, forMs) {
    const leader = await cluster.leader();
    await separate(cluster, [leader]);
    cluster.members[leader]?.pause();
    await sleep(forMs);
    await cluster.links.heal();
    cluster.members[leader]?.resume();
    return `stopped and cut off the leader n${leader} for ${forMs} ms`;
  },
  async delay(cluster, rng, forMs) {
    const ms = 5 + int(rng, 60);
    await cluster.links.delay(ms);
    await sleep(forMs);
    return `delayed everything by ${ms} ms`;
  },
  async killUnderDelay(cluster, _rng, forMs) {
    await cluster.links.delay(20);
    const leader = await cluster.leader();
    await sleep(forMs / 2);
    await cluster.kill(leader);
    await sleep(forMs / 2);
    await cluster.start(leader);
    return `killed the leader n${leader} while everything took 20 ms longer`;
  },
};

export const FAULT_NAMES: readonly string[] = Object.keys(FAULTS);

const NEED_DELAY: readonly string[] = ['delay', 'killUnderDelay'];

/** What can be done to a group with these links. */
export function faultsOn(links: Links): readonly string[] {
  return links.canDelay ? FAULT_NAMES : FAULT_NAMES.filter((name) => !NEED_DELAY.includes(name));
}

/** Carries out one fault and says what it was. */
export function inflict(name: string, cluster: Cluster, rng: Rng): Promise<string> {
  const fault = FAULTS[name];
  if (!fault) throw new TypeError(`no fault ${name}`);
  return fault(cluster, rng, 300 + int(rng, 3700));
}
