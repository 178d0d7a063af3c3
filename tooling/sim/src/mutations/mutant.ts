import { parentPort, workerData } from 'node:worker_threads';
import { runMeshScenario } from '../mesh/scenario.ts';

/** What a mutant is asked: how many seeds, from 1. */
export interface MutantData {
  readonly seeds: number;
}

/** The first seed that noticed something, and what. */
export interface Noticed {
  readonly seed: number;
  readonly problem: string;
}

function firstNoticed(seeds: number): Noticed | undefined {
  for (let seed = 1; seed <= seeds; seed += 1) {
    try {
      runMeshScenario(seed);
    } catch (error) {
      return { seed, problem: error instanceof Error ? error.message : String(error) };
    }
  }
  return undefined;
}

parentPort?.postMessage(firstNoticed((workerData as MutantData).seeds));
