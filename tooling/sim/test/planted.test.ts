import { describe, expect, it } from 'vitest';
import { simulate } from '../src/run.ts';
import type { PlantedBug } from '../src/scenario.ts';

/** Each planted bug, what must notice it, and where to look first: a seed whose scenario gives it a chance. */
const planted: readonly [PlantedBug, RegExp, number][] = [
  ['drop-command', /in log order|after its index|equal states/, 2],
  ['local-strong-reads', /a strong read is never stale/, 1],
  ['retry-after-failure', /never committed/, 1],
  ['lying-disk', /stored by a majority/, 1],
  ['forgotten-vote', /Raft §5|by a majority|stops as failed/, 1],
];

/** How many seeds a planted bug may survive. */
const PATIENCE = 12;

describe('a planted bug', () => {
  it.each(planted)(
    'is noticed: %s',
    async (bug, invariant, first) => {
      for (let seed = first; seed < first + PATIENCE; seed += 1) {
        const { violation } = await simulate(seed, { planted: bug });
        if (!violation) continue;
        expect(violation.message).toMatch(invariant);
        return;
      }
      expect.fail(`${bug} went unnoticed in ${PATIENCE} runs`);
    },
    120_000,
  );
});
