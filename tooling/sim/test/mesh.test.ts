import { describe, expect, test } from 'vitest';
import { runMeshScenario } from '../src/mesh/scenario.ts';
import { pastMeshFailures } from '../src/mesh/seeds.ts';

const FIRST_SEED = 100;
const RUNS = 24;

describe('the cores of raft, bonds, handshake and discovery under faults', () => {
  test(`keep every invariant, and are whole again after quiet: ${RUNS} seeds from ${FIRST_SEED}`, {
    timeout: 120_000,
  }, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed += 1)
      expect(() => runMeshScenario(seed), `pnpm sim --seed ${seed} --verbose`).not.toThrow();
  });

  test.each(pastMeshFailures.map(({ seed, found }) => [seed, found] as const))(
    'keep what seed %i once broke: %s',
    (seed) => {
      runMeshScenario(seed);
    },
    60_000,
  );

  test('run the same way again from the same seed', { timeout: 60_000 }, () => {
    expect(runMeshScenario(6).digest).toBe(runMeshScenario(6).digest);
    expect(runMeshScenario(7).digest).not.toBe(runMeshScenario(9).digest);
  });
});
