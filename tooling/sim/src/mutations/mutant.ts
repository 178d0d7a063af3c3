import { parentPort, workerData } from 'node:worker_threads';
import { runMeshScenario } from '../mesh/scenario.ts';
import { simulate } from '../run.ts';

/** What a mutant is asked: how many seeds, from 1, of the cores or of whole nodes. */
export interface MutantData {
  readonly seeds: number;
  readonly whole: boolean;
}

/** The first seed that noticed something, and what. */
export interface Noticed {
  readonly seed: number;
  readonly problem: string;
}

async function firstNoticed({ seeds, whole }: MutantData): Promise<Noticed | undefined> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const problem = whole ? (await simulate(seed)).violation?.message : problemOf(seed);
    if (problem !== undefined) return { seed, problem };
  }
  return undefined;
}

function problemOf(seed: number): string | undefined {
  try {
    runMeshScenario(seed);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

parentPort?.postMessage(await firstNoticed(workerData as MutantData));
