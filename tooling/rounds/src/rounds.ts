import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRng } from '@mosaik/wire/testing';
import { Clients } from './clients.ts';
import { Cluster } from './cluster.ts';
import { faultsOn, inflict } from './faults.ts';
import { History } from './history.ts';
import type { Links } from './links.ts';

export interface RoundsInit {
  /** The bundle of `member-process.ts`. */
  readonly executable: string;
  readonly seed: number;
  readonly rounds: number;
  readonly nodes: number;
  /** For the group with this number, from 0. */
  readonly createLinks: (nodes: number, group: number) => Promise<Links>;
  /** Only this fault instead of random ones. */
  readonly fault?: string | undefined;
  /** Planted: members acknowledge and keep nothing. */
  readonly forgets?: boolean | undefined;
  readonly print: (line: string) => void;
}

export interface RoundsResult {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly reads: number;
  readonly snapshotsTaken: number;
  readonly snapshotsInstalled: number;
  /** How often each fault was inflicted. */
  readonly faults: ReadonlyMap<string, number>;
  /** Rounds by the links that they ran on. */
  readonly links: ReadonlyMap<Links['kind'], number>;
  readonly problems: readonly string[];
}

const CLIENTS = 8;
/** Rounds on one group; the next ones begin with a new one. */
const ROUNDS_PER_GROUP = 10;

/** Torments groups, round after round, and checks after each of them; stops at the first violation. */
export async function runRounds(init: RoundsInit): Promise<RoundsResult> {
  const totals = {
    rounds: 0,
    acknowledged: 0,
    unknown: 0,
    refused: 0,
    reads: 0,
    snapshotsTaken: 0,
    snapshotsInstalled: 0,
    faults: new Map<string, number>(),
    links: new Map<Links['kind'], number>(),
    problems: [] as string[],
  };
  for (let group = 0; totals.rounds < init.rounds && totals.problems.length === 0; group += 1) {
    const first = totals.rounds;
    const count = Math.min(ROUNDS_PER_GROUP, init.rounds - first);
    const history = new History();
    const directory = await mkdtemp(join(tmpdir(), 'mosaik-rounds-'));
    try {
      const links = await init.createLinks(init.nodes, group);
      const cluster = await Cluster.create(init, directory, links);
      try {
        totals.problems = await runGroup(init, cluster, first, count, history, (faults) => {
          totals.rounds += 1;
          increment(totals.links, links.kind);
          for (const name of faults) increment(totals.faults, name);
        });
      } finally {
        await cluster.close();
      }
      totals.snapshotsTaken += cluster.count('took a snapshot');
      totals.snapshotsInstalled += cluster.count('installed a snapshot');
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    totals.reads += history.reads.length;
    for (const { outcome } of history.writes) totals[outcome] += 1;
  }
  return totals;
}

async function runGroup(
  { seed, nodes, fault, print }: RoundsInit,
  cluster: Cluster,
  first: number,
  count: number,
  history: History,
  done: (faults: readonly string[]) => void,
): Promise<string[]> {
  const possible = faultsOn(cluster.links);
  try {
    await cluster.mend();
    await cluster.settle();
    for (let round = first; round < first + count; round += 1) {
      // A round is the same for its seed, number and links, whichever came before it.
      const rng = seededRng(seed * 1000 + round);
      const clients = new Clients(`r${round}`, cluster.members, history, rng);
      const before = history.writes.length;
      const names: string[] = [];
      const said: string[] = [];
      clients.start(CLIENTS);
      await sleep(200);
      const faults = 1 + Math.floor(rng.float() * 2);
      for (let i = 0; i < faults; i += 1) {
        const name = fault ?? (possible[Math.floor(rng.float() * possible.length)] as string);
        names.push(name);
        said.push(await inflict(name, cluster, rng));
        if (rng.float() < 0.5) await cluster.links.heal();
      }
      await cluster.mend();
      await sleep(300);
      await clients.stop();
      const problems = history.problems(await cluster.settle());
      const acknowledged = history.writes.slice(before).filter(({ outcome }) => outcome === 'acknowledged');
      print(
        `round ${round + 1}, ${nodes} members, ${cluster.links.kind}: ${said.join('; then ')}: ` +
          `${acknowledged.length} writes acknowledged` +
          `${problems.length > 0 ? `, ${problems.length} PROBLEMS` : ''}`,
      );
      if (problems.length > 0) return problems;
      done(names);
    }
    return [];
  } catch (error) {
    return [`${error instanceof Error ? error.message : String(error)}`, ...lastWords(cluster)];
  }
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function lastWords(cluster: Cluster): string[] {
  return cluster.members.flatMap(({ name, log }) => log.map((line) => `${name}: ${line}`));
}
