import { parseArgs } from 'node:util';
import { FAULT_NAMES } from './faults.ts';
import { relayLinks } from './relays.ts';
import { runRounds } from './rounds.ts';

const USAGE = `pnpm rounds [--rounds N] [--nodes 3|5] [--seed N] [--fault ${FAULT_NAMES.join('|')}]`;

/** Gives the exit code. */
export async function main(args: string[], executable: string): Promise<number> {
  let options: { rounds: number; nodes: number; seed: number; fault: string | undefined };
  try {
    const { values } = parseArgs({
      args: args.filter((arg) => arg !== '--'),
      options: {
        rounds: { type: 'string', default: '10' },
        nodes: { type: 'string', default: '3' },
        seed: { type: 'string', default: String(Date.now() % 100_000) },
        fault: { type: 'string' },
      },
    });
    const { fault } = values;
    options = {
      rounds: Number(values.rounds),
      nodes: Number(values.nodes),
      seed: Number(values.seed),
      fault,
    };
    for (const [name, value] of Object.entries({ ...options, fault: 0 }))
      if (!Number.isInteger(value) || value < 0) throw new TypeError(`--${name} must be a number`);
    if (fault !== undefined && !FAULT_NAMES.includes(fault)) throw new TypeError(`--fault: ${fault} is none`);
  } catch (error) {
    console.error(`rounds: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const { seed, nodes, rounds, fault } = options;
  const result = await runRounds({ ...options, executable, createLinks: relayLinks, print: console.log });
  const { acknowledged, unknown, refused, reads, problems } = result;
  console.log(
    `${result.rounds} rounds of ${nodes} members: ${acknowledged} writes acknowledged, ${refused} refused, ` +
      `${unknown} of unknown outcome, ${reads} strong reads: ${problems.length === 0 ? 'none lost, none stale' : 'FAILED'}`,
  );
  for (const problem of problems.slice(0, 60)) console.log(`  ${problem}`);
  const again = `--rounds ${rounds} --nodes ${nodes} --seed ${seed}${fault === undefined ? '' : ` --fault ${fault}`}`;
  console.log(`the same faults again: pnpm rounds ${again}`);
  return problems.length === 0 ? 0 : 1;
}
