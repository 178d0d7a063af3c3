import { parseArgs } from 'node:util';
import { runMany } from './mesh/campaign.ts';
import { runOne } from './mesh/run-one.ts';
import { printTable } from './mutations/table.ts';
import { parseCount } from './parse-count.ts';
import { main as runWhole } from './whole-cli.ts';

const usage = `usage: pnpm sim [--seed N] [--runs K] [--workers W] [--state FILE] [--keep-going] [--verbose]
       pnpm sim --mutation NAME | --mutations
       pnpm sim --whole [...]
  --seed N        first seed; default: drawn from the clock
  --runs K        that many seeds from N on; default 1
  --workers W     threads; default 2
  --state FILE    goes on where FILE says, and keeps the count there
  --keep-going    does not stop at the first failure; prints each
  --verbose       prints what the cores say
  --mutation NAME with that bug put in on purpose
  --mutations     the table of all of them: which is noticed by what, after how many seeds
  --whole         whole nodes instead of their cores; see pnpm sim --whole --help`;

/** `file`: this program as one module, which workers run too; `top`: of the repository. */
export async function main(argv: readonly string[], file: string, top: string): Promise<number> {
  if (argv.includes('--whole')) return runWhole(argv.filter((argument) => argument !== '--whole'));
  const { values } = parseArgs({
    args: argv.filter((argument) => argument !== '--'),
    options: {
      seed: { type: 'string' },
      runs: { type: 'string' },
      workers: { type: 'string', default: '2' },
      state: { type: 'string' },
      'keep-going': { type: 'boolean', default: false },
      mutation: { type: 'string' },
      mutations: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (values.mutations || values.mutation !== undefined)
    return printTable(top, parseCount('--runs', values.runs ?? '200'), values.mutation);
  const first = parseCount('--seed', values.seed ?? String(Date.now() % 1_000_000_000));
  const runs = parseCount('--runs', values.runs ?? '1');
  if (runs === 1 && values.state === undefined) return runOne(first, values.verbose);
  return runMany({
    first,
    runs,
    workers: parseCount('--workers', values.workers),
    stateFile: values.state,
    keepGoing: values['keep-going'],
    file,
  });
}
