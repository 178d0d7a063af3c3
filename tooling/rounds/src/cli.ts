import { parseArgs } from 'node:util';
import { chooseLinks } from './choose-links.ts';
import { FAULT_NAMES } from './faults.ts';
import type { Links } from './links.ts';
import { runRounds } from './rounds.ts';

const USAGE =
  'pnpm rounds [--rounds N] [--nodes 3|5] [--seed N] [--links namespaces|relays] ' +
  `[--fault ${FAULT_NAMES.join('|')}]`;

/** Gives the exit code. */
export async function main(args: string[], executable: string): Promise<number> {
  let options: { rounds: number; nodes: number; seed: number; fault: string | undefined };
  let links: string | undefined;
  let createLinks: (members: number, group: number) => Promise<Links>;
  try {
    const { values } = parseArgs({
      args: args.filter((arg) => arg !== '--'),
      options: {
        rounds: { type: 'string', default: '10' },
        nodes: { type: 'string', default: '3' },
        seed: { type: 'string', default: String(Date.now() % 100_000) },
        fault: { type: 'string' },
        links: { type: 'string' },
      },
    });
    const { fault } = values;
    links = values.links;
    options = {
      rounds: Number(values.rounds),
      nodes: Number(values.nodes),
      seed: Number(values.seed),
      fault,
    };
    for (const [name, value] of Object.entries({ ...options, fault: 0 }))
      if (!Number.isInteger(value) || value < 0) throw new TypeError(`--${name} must be a number`);
    if (fault !== undefined && !FAULT_NAMES.includes(fault)) throw new TypeError(`--fault: ${fault} is none`);
    if (links !== undefined && links !== 'namespaces' && links !== 'relays')
      throw new TypeError(`--links: ${links} is neither namespaces nor relays`);
    createLinks = await chooseLinks(links, console.log);
  } catch (error) {
    console.error(`rounds: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const { seed, nodes, rounds, fault } = options;
  const result = await runRounds({ ...options, executable, createLinks, print: console.log });
  const { acknowledged, unknown, refused, reads, problems } = result;
  console.log(
    `${result.rounds} rounds of ${nodes} members: ${acknowledged} writes acknowledged, ${refused} refused, ` +
      `${unknown} of unknown outcome, ${reads} strong reads: ${problems.length === 0 ? 'none lost, none stale' : 'FAILED'}`,
  );
  console.log(
    `snapshots: ${result.snapshotsTaken} taken, ${result.snapshotsInstalled} installed; ` +
      `rounds: ${describeCounts(result.links)}; faults: ${describeCounts(result.faults)}`,
  );
  for (const problem of problems.slice(0, 60)) console.log(`  ${problem}`);
  const only = `${fault === undefined ? '' : ` --fault ${fault}`}${links === undefined ? '' : ` --links ${links}`}`;
  const again = `--rounds ${rounds} --nodes ${nodes} --seed ${seed}${only}`;
  console.log(`the same faults again: pnpm rounds ${again}`);
  return problems.length === 0 ? 0 : 1;
}

function describeCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
