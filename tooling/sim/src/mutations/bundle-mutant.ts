import { readFileSync } from 'node:fs';
import { bundle } from '@mosaik/tooling-config/bundle';
import type { Mutation } from './mutations.ts';

/**
 * The simulation with a bug in it, as one module for a worker.
 *
 * @throws when the text that is to be replaced is not there exactly once.
 */
export async function bundleMutant(mutation: Mutation, top: string): Promise<string> {
  const { name, file } = mutation;
  const outfile = `${top}/tooling/sim/dist/mutant-${process.pid}-${name}.js`;
  let changed = false;
  await bundle({
    entryPoints: [`${top}/tooling/sim/src/mutations/mutant.ts`],
    outfile,
    logLevel: 'silent',
    plugins: [
      {
        name: 'mutate',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) => {
            if (!path.endsWith(`/packages/${file}`)) return undefined;
            changed = true;
            return { contents: mutate(readFileSync(path, 'utf8'), mutation), loader: 'ts' };
          });
        },
      },
    ],
  });
  if (!changed) throw new Error(`mutation ${name}: ${file} is not part of the simulation`);
  return outfile;
}

/** @throws when a text that is to be replaced is not there exactly once. */
export function mutate(text: string, { name, also, ...change }: Omit<Mutation, 'file'>): string {
  let mutated = text;
  for (const { find, replace } of also ? [change, also] : [change]) {
    const parts = mutated.split(find);
    if (parts.length !== 2)
      throw new Error(`mutation ${name}: its text is there ${parts.length - 1} times, not once: ${find}`);
    mutated = parts.join(replace);
  }
  return mutated;
}
