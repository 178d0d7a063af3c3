import { describe, expect, test } from 'vitest';
import { runScenario } from './scenario.ts';

/** Seeds that once found something; they stay. */
const PAST = {
  dynamic: [292, 575, 5187, 5216, 5505, 10_391, 10_526, 200_729, 300_377],
  voters: [37],
};
const FIRST = Number(process.env.SIM_SEED ?? 20_000);

describe.each(['dynamic', 'voters'] as const)('a group in %s mode, whatever happens to it', (mode) => {
  const runs = Number(process.env.SIM_RUNS ?? (mode === 'dynamic' ? 50 : 120));
  const run = (seed: number) => {
    try {
      return runScenario({ seed, mode });
    } catch (error) {
      const replay = `SIM_SEED=${seed} SIM_RUNS=1 pnpm vitest run packages/raft/test/simulation/scenario.test.ts -t ${mode}`;
      throw new Error(`seed ${seed}, replay with: ${replay}\n${(error as Error).message}`, { cause: error });
    }
  };

  test.each(PAST[mode])('keeps every invariant and agrees after quiet: past seed %i', (seed) => {
    run(seed);
  });

  test(`keeps every invariant and agrees after quiet: ${runs} seeds from ${FIRST}`, {
    timeout: 3_600_000,
  }, () => {
    let acked = 0;
    for (let seed = FIRST; seed < FIRST + runs; seed += 1) acked += run(seed).acked;
    expect(acked).toBeGreaterThan(runs * 10);
  });
});
