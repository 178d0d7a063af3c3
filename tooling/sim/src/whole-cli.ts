import { parseArgs } from 'node:util';
import { parseCount } from './parse-count.ts';
import { describeFailure, simulate } from './run.ts';
import type { PlantedBug } from './scenario.ts';

/** One run in so many is done twice: the same seed must give the same events. */
const TWICE_EVERY = 50;

const usage = `usage: pnpm sim --whole [--seed N] [--runs K] [--verbose] [--planted BUG] [--keep-going]
  --seed N      first seed; default: drawn from the clock
  --runs K      that many seeds from N on; default 1
  --verbose     print every event
  --planted BUG drop-command, local-strong-reads, retry-after-failure, lying-disk or forgotten-vote
  --keep-going  do not stop at the first failure; print one line for each`;

export async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv.filter((argument) => argument !== '--'),
    options: {
      seed: { type: 'string' },
      runs: { type: 'string', default: '1' },
      verbose: { type: 'boolean', default: false },
      planted: { type: 'string' },
      'keep-going': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const first = parseCount('--seed', values.seed ?? String(Date.now() % 1_000_000_000));
  const runs = parseCount('--runs', values.runs);
  const options = {
    planted: values.planted as PlantedBug | undefined,
    onEvent: values.verbose ? (line: string) => console.log(line) : undefined,
  };
  const startedMs = performance.now();
  const failures: string[] = [];
  const calls: Record<string, number> = {};
  let virtualMs = 0;
  let steps = 0;
  let toldMs = startedMs;
  for (let i = 0; i < runs; i += 1) {
    const seed = first + i;
    const result = await simulate(seed, options);
    virtualMs += result.durationMs;
    steps += result.steps;
    for (const [outcome, count] of Object.entries(result.calls))
      calls[outcome] = (calls[outcome] ?? 0) + count;
    if (result.violation) {
      const invariant = result.violation.message;
      failures.push(`seed ${seed}: ${invariant}`);
      if (values['keep-going']) console.log(`seed ${seed}: ${invariant.slice(0, 400)}`);
      else {
        console.log(describeFailure(result));
        break;
      }
    } else if (runs === 1) {
      console.log(`seed ${seed}: ${result.scenario}`);
      console.log(
        `${result.committed} entries, calls ${JSON.stringify(result.calls)}, digest ${result.digest}`,
      );
    }
    if (i % TWICE_EVERY === 0) {
      const again = await simulate(seed, { planted: options.planted });
      if (again.digest !== result.digest) {
        failures.push(`seed ${seed}: another run when run again`);
        console.log(`seed ${seed} gave another run the second time: ${result.digest}, then ${again.digest}`);
      }
    }
    const nowMs = performance.now();
    if (runs > 1 && (nowMs - toldMs > 10_000 || i === runs - 1)) {
      toldMs = nowMs;
      const rate = ((i + 1) / (nowMs - startedMs)) * 60_000;
      console.log(`${i + 1} of ${runs} runs, ${failures.length} failed, ${rate.toFixed(0)} runs a minute`);
    }
  }
  if (runs > 1) console.log(`calls: ${JSON.stringify(calls)}`);
  const wallMs = performance.now() - startedMs;
  console.log(
    `${(virtualMs / 1000).toFixed(0)} virtual seconds, ${steps} steps in ${(wallMs / 1000).toFixed(1)} s (${((wallMs * 1000) / Math.max(1, steps)).toFixed(1)} µs a step)`,
  );
  return failures.length > 0 ? 1 : 0;
}
