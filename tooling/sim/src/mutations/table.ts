import { mutations } from './mutations.ts';
import { tryMutation } from './try-mutation.ts';

/** Every mutation (or that one): how many seeds it took, and what noticed it. Resolves with the exit code. */
export async function printTable(top: string, seeds: number, only?: string): Promise<number> {
  let missed = 0;
  console.log('| mutation | seeds | noticed by |\n| --- | --- | --- |');
  for (const mutation of mutations) {
    if (only !== undefined && mutation.name !== only) continue;
    const noticed = await tryMutation(mutation, seeds, top);
    if (!noticed) missed += 1;
    console.log(
      noticed
        ? `| ${mutation.name} | ${noticed.seed} | ${describe(noticed.problem)} |`
        : `| ${mutation.name} | none of ${seeds} | |`,
    );
  }
  return missed > 0 ? 1 : 0;
}

/** The invariant, without whom and when. */
export function describe(problem: string): string {
  const [line = ''] = problem.split('\n');
  return line.replace(/^n\d+ at \d+ ms, step \d+: /, '').slice(0, 110);
}
