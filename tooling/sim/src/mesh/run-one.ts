import { runMeshScenario } from './scenario.ts';

/** One seed, with what it did or what went wrong. */
export function runOne(seed: number, verbose: boolean): number {
  if (verbose) process.env.SIM_LOG = '1';
  try {
    const { acked, forced, lost, steps, digest } = runMeshScenario(seed);
    console.log(
      `seed ${seed}: ${acked} writes acknowledged, ${forced} forced epochs, ${lost} commands given up, ${steps} steps, digest ${digest}`,
    );
    return 0;
  } catch (error) {
    console.log(
      describeFailure(seed, error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
    return 1;
  }
}

export function describeFailure(seed: number, problem: string): string {
  return `seed ${seed}: ${problem}\nreplay: pnpm sim --seed ${seed} --verbose`;
}
