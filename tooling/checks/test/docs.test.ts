import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
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

// Of the layers: the quick start is run by a test of the network, and the others need peers or values of the reader's.
describe.each(['raft', 'transport', 'wire'])('the example of %s', (layer) => {
  test('runs to its end as written', { timeout: 30_000 }, () => {
    const directory = join(repository, 'packages', layer);
    const [, code = ''] =
      /^```ts\n(.*?)^```$/ms.exec(readFileSync(join(directory, 'README.md'), 'utf8')) ?? [];
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    const ran = spawnSync(process.execPath, ['--input-type=module', '--eval', outputText], {
      cwd: directory,
      env: { ...process.env, NODE_OPTIONS: '' },
      encoding: 'utf8',
    });
    expect(ran.stderr).not.toMatch(/Error|unsettled/);
    expect([outputText.length > 0, ran.status]).toEqual([true, 0]);
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
