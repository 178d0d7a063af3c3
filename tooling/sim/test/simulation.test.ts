import { describe, expect, it } from 'vitest';
import { describeFailure, simulate } from '../src/run.ts';
import { pastFailures } from '../src/seeds.ts';

/** How many new seeds a test run tries: enough to see a broken rule, few enough for two busy cores. */
const FIRST_SEED = 1;
const RUNS = 16;

async function expectHolds(seed: number): Promise<void> {
  const result = await simulate(seed);
  expect(result.violation, describeFailure(result)).toBeUndefined();
}

describe('a whole group under faults', () => {
  it.each(Array.from({ length: RUNS }, (_, i) => FIRST_SEED + i))(
    'keeps every invariant and is whole again after quiet: seed %i',
    expectHolds,
    60_000,
  );

  it.each(pastFailures.map(({ seed, found }) => [seed, found] as const))(
    'keeps what seed %i once broke: %s',
    (seed) => expectHolds(seed),
    60_000,
  );

  it('runs the same way again from the same seed', async () => {
    for (const seed of [3, 5]) {
      const once = await simulate(seed);
      const twice = await simulate(seed);
      expect(twice.digest).toBe(once.digest);
      expect(twice.steps).toBe(once.steps);
    }
    expect((await simulate(3)).digest).not.toBe((await simulate(5)).digest);
  }, 60_000);
});
