import { runScenario } from './scenario.ts';

/** `MODE FIRST RUNS`, with `SIM_SECONDS`: many seeds by hand, bundled first (`esbuild --conditions=@mosaik/source`). */
const [mode = 'dynamic', first = '1', runs = '1'] = process.argv.slice(2);
let failed = 0;
let acked = 0;
let steps = 0;
let lost = 0;
const startedMs = Date.now();
let ran = 0;
for (let seed = Number(first); seed < Number(first) + Number(runs); seed += 1) {
  if (Date.now() - startedMs > 1000 * Number(process.env.SIM_SECONDS ?? 3600)) break;
  ran += 1;
  try {
    const result = runScenario({ seed, mode: mode as 'dynamic' | 'voters' });
    acked += result.acked;
    steps += result.steps;
    lost += result.lost;
  } catch (error) {
    failed += 1;
    console.log(
      `seed ${seed} ${mode}: ${error instanceof Error ? (process.env.SIM_STACK ? error.stack : error.message) : error}\n`,
    );
    if (failed >= Number(process.env.SIM_MAX_FAILURES ?? 3)) break;
  }
}
console.log(
  `${mode}: ${ran} seeds from ${first}, ${failed} failed, ${acked} acknowledged, ${lost} lost, ${steps} steps`,
);
