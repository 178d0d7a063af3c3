import { rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { bundleMutant } from './bundle-mutant.ts';
import type { MutantData, Noticed } from './mutant.ts';
import type { Mutation } from './mutations.ts';

/** Runs the simulation with that bug in it until something is noticed, for at most so many seeds. `top`: of the repository. */
export async function tryMutation(
  mutation: Mutation,
  seeds: number,
  top: string,
): Promise<Noticed | undefined> {
  const file = await bundleMutant(mutation, top);
  try {
    return await new Promise((resolve, reject) => {
      const worker = new Worker(file, {
        workerData: { seeds, whole: mutation.whole ?? false } satisfies MutantData,
      });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  } finally {
    rmSync(file, { force: true });
  }
}
