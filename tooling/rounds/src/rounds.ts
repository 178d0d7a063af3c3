import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRng } from '@mosaik/wire/testing';
import { Clients } from './clients.ts';
import { Cluster } from './cluster.ts';
import { FAULT_NAMES, inflict } from './faults.ts';
import { History } from './history.ts';
import type { Links } from './links.ts';

export interface RoundsInit {
  /** The bundle of `member-process.ts`. */
  readonly executable: string;
  readonly seed: number;
  readonly rounds: number;
  readonly nodes: number;
  readonly createLinks: (nodes: number) => Promise<Links>;
  /** Only this fault instead of random ones. */
  readonly fault?: string | undefined;
  readonly print: (line: string) => void;
}

export interface RoundsResult {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly reads: number;
  readonly problems: readonly string[];
}

const CLIENTS = 8;
/** Rounds on one group; the next ones begin with a new one. */
const ROUNDS_PER_GROUP = 10;

/** Torments groups, round after round, and checks after each of them; stops at the first violation. */
export async function runRounds(init: RoundsInit): Promise<RoundsResult> {
  const totals = { rounds: 0, acknowledged: 0, unknown: 0, refused: 0, reads: 0, problems: [] as string[] };
  while (totals.rounds < init.rounds && totals.problems.length === 0) {
    const first = totals.rounds;
    const count = Math.min(ROUNDS_PER_GROUP, init.rounds - first);
    const history = new History();
    totals.problems = await runGroup(init, first, count, history, () => {
      totals.rounds += 1;
    });
    totals.reads += history.reads.length;
    for (const { outcome } of history.writes) totals[outcome] += 1;
  }
  return totals;
}

async function runGroup(
  { executable, seed, nodes, createLinks, fault, print }: RoundsInit,
  first: number,
  count: number,
  history: History,
  done: () => void,
): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'mosaik-rounds-'));
  const cluster = await Cluster.create(executable, directory, nodes, await createLinks(nodes));
  try {
    await cluster.mend();
    await cluster.settle();
    for (let round = first; round < first + count; round += 1) {
      // A round is the same for its seed and number, whichever came before it.
      const rng = seededRng(seed * 1000 + round);
      const clients = new Clients(`r${round}`, cluster.members, history, rng);
      const before = history.writes.length;
      const said: string[] = [];
      clients.start(CLIENTS);
      await sleep(200);
      const faults = 1 + Math.floor(rng.float() * 2);
      for (let i = 0; i < faults; i += 1) {
        const name = fault ?? (FAULT_NAMES[Math.floor(rng.float() * FAULT_NAMES.length)] as string);
        said.push(await inflict(name, cluster, rng));
        if (rng.float() < 0.5) await cluster.links.heal();
      }
      await cluster.mend();
      await sleep(300);
      await clients.stop();
      const problems = history.problems(await cluster.settle());
      const acknowledged = history.writes.slice(before).filter(({ outcome }) => outcome === 'acknowledged');
      print(
        `round ${round + 1}, ${nodes} members: ${said.join('; then ')}: ${acknowledged.length} writes acknowledged` +
          `${problems.length > 0 ? `, ${problems.length} PROBLEMS` : ''}`,
      );
      if (problems.length > 0) return problems;
      done();
    }
    return [];
  } catch (error) {
    return [`${error instanceof Error ? error.message : String(error)}`, ...lastWords(cluster)];
  } finally {
    await cluster.close();
    await rm(directory, { recursive: true, force: true });
  }
}

function lastWords(cluster: Cluster): string[] {
  return cluster.members.flatMap(({ name, log }) => log.map((line) => `${name}: ${line}`));
}
