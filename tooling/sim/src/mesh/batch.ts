import { runMeshScenario } from './scenario.ts';

/** One seed in so many is run twice: the same seed must give the same run. */
const TWICE_EVERY = 50;

/** Seeds `from` to `to`, the last not included. */
export interface Batch {
  readonly from: number;
  readonly to: number;
}

export interface BatchResult extends Batch {
  readonly acked: number;
  readonly steps: number;
  readonly failures: readonly { readonly seed: number; readonly problem: string }[];
}

export function runBatch({ from, to }: Batch): BatchResult {
  let acked = 0;
  let steps = 0;
  const failures: { seed: number; problem: string }[] = [];
  for (let seed = from; seed < to; seed += 1) {
    try {
      const result = runMeshScenario(seed);
      acked += result.acked;
      steps += result.steps;
      if (seed % TWICE_EVERY === 0 && runMeshScenario(seed).digest !== result.digest)
        failures.push({ seed, problem: 'ran in another way the second time' });
    } catch (error) {
      failures.push({ seed, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return { from, to, acked, steps, failures };
}
