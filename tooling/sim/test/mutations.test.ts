import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { mutate } from '../src/mutations/bundle-mutant.ts';
import { mutations } from '../src/mutations/mutations.ts';
import { tryMutation } from '../src/mutations/try-mutation.ts';

const top = fileURLToPath(new URL('../../..', import.meta.url));
/** Some that are noticed soon; `pnpm sim --mutations` tries all. */
const SHORT = ['vote-not-persisted', 'term-not-persisted', 'abstain-when-behind', 'vote-twice-in-a-term'];

describe('planted bugs', () => {
  test('there are twenty at least, each at one place of the code as it is', () => {
    expect(mutations.length).toBeGreaterThanOrEqual(20);
    for (const { name, file, find, replace } of mutations)
      expect(() => mutate(readFileSync(`${top}packages/${file}`, 'utf8'), name, find, replace)).not.toThrow();
  });

  test('a text that is not there is an error, not a bug that nobody notices', () => {
    expect(() => mutate('a b', 'x', 'c', 'd')).toThrow(/0 times/);
    expect(() => mutate('a a', 'x', 'a', 'd')).toThrow(/2 times/);
  });

  test.each(
    mutations
      .filter(({ name }) => SHORT.includes(name))
      .map((mutation) => [mutation.name, mutation] as const),
  )(
    'is noticed: %s',
    async (_, mutation) => {
      expect(await tryMutation(mutation, 20, top)).toBeDefined();
    },
    120_000,
  );
});
