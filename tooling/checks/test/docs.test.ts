import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exampleProblems } from '../src/docs.ts';
import { readWorkspace, repository } from '../src/workspace.ts';
import { workspaceOf } from './fixture.ts';

describe('the READMEs of this repository', { timeout: 60_000 }, () => {
  const workspace = readWorkspace(repository);

  test('have examples that compile', () => {
    const { problems, examples } = exampleProblems(workspace);
    expect(problems).toEqual([]);
    expect(examples).toBeGreaterThan(3);
  });

  test('are there, one for each package and application', () => {
    const missing = workspace.packages
      .filter(({ directory }) => !directory.startsWith(join(repository, 'tooling')))
      .filter(({ directory }) => !existsSync(join(directory, 'README.md')));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

describe('an example', () => {
  const readme = (code: string) => `# lower\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
  const problemsOf = (code: string) =>
    exampleProblems(workspaceOf({ 'packages/lower/README.md': readme(code) })).problems;

  test('may leave out what it says in prose', () => {
    expect(problemsOf("import { lower } from '@x/lower';\nuse(lower, { option });")).toEqual([]);
  });

  test.each([
    ["import { upper } from '@x/lower';", /README\.md:4 .*no exported member/],
    ["\nimport { lower } from '@x/lower';\nlower.missing();", /README\.md:6 .*'missing' does not exist/],
    ['const a = ;', /README\.md:4 Expression expected/],
    ["import '@x/gone';\nimport { a } from '@x/gone';", /README\.md:5 Cannot find module/],
  ])('is refused when it is wrong: %j', (code, problem) => {
    expect(problemsOf(code).join('\n')).toMatch(problem);
  });
});
