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
    for (const mutation of mutations)
      expect(() => mutate(readFileSync(`${top}packages/${mutation.file}`, 'utf8'), mutation)).not.toThrow();
  });

  test('a text that is not there is an error, not a bug that nobody notices', () => {
    const change = (find: string) => ({ name: 'x', find, replace: 'd' });
    expect(() => mutate('a b', change('c'))).toThrow(/0 times/);
    expect(() => mutate('a a', change('a'))).toThrow(/2 times/);
    expect(() => mutate('a b', { ...change('a'), also: change('c') })).toThrow(/0 times/);
    expect(mutate('a b', { ...change('a'), also: { find: 'b', replace: 'e' } })).toBe('d e');
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
