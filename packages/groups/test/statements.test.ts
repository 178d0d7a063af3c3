import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const claims = [...readme.matchAll(/^\| .* \| `([^`\n]+\.ts)` "(.*)" +\|$/gm)].map(
  ([, file = '', name = '']) => ({
    file,
    name,
  }),
);

it('finds the statements of the README', () => {
  const rows = readme.split('\n').filter((line) => line.startsWith('| ') && line.includes('.test.ts'));
  expect(claims.length).toBeGreaterThan(50);
  expect(claims.length).toBeGreaterThanOrEqual(rows.length);
});

it.each(claims)('is shown by a test that exists: $name', ({ file, name }) => {
  const path = new URL(file, root);
  expect(existsSync(path), fileURLToPath(path)).toBe(true);
  expect(readFileSync(path, 'utf8')).toContain(name);
});
