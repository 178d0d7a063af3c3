import { describe, expect, test } from 'vitest';
import { layeringProblems } from '../src/layering.ts';
import { layers } from '../src/layers.ts';
import { readWorkspace, repository } from '../src/workspace.ts';
import { type Files, workspaceOf } from './fixture.ts';

const table = {
  '@x/lower': { imports: ['allowed'] },
  '@x/upper': { imports: ['@x/lower'], below: { 'src/adapter': ['only-adapter'] } },
};

describe('this repository', () => {
  const workspace = readWorkspace(repository);
  const { problems, modules } = layeringProblems(workspace, layers);

  test('imports only downwards, what is declared, through exports maps, and never in a circle', () => {
    expect(problems).toEqual([]);
  });

  test('is what was looked at', () => {
    const seen = workspace.packages.filter(({ files }) => files.length > 0).map(({ name }) => name);
    expect(seen).toEqual(expect.arrayContaining(Object.keys(layers)));
    expect(modules).toBeGreaterThan(50);
  });

  test('has a table without circles: every package imports only those above it in the list', () => {
    const order = Object.keys(layers);
    for (const [name, { imports }] of Object.entries(layers))
      for (const target of imports.filter((entry) => order.includes(entry)))
        expect(order.indexOf(target), `${name} → ${target}`).toBeLessThan(order.indexOf(name));
  });
});

describe('layering finds', () => {
  const problemsOf = (files: Files, manifests = {}) =>
    layeringProblems(workspaceOf(files, manifests), table).problems;

  test('nothing where nothing is wrong', () => {
    expect(problemsOf({})).toEqual([]);
    expect(
      problemsOf(
        {
          'packages/upper/src/adapter/a.ts': "import 'only-adapter';",
          'packages/upper/test/a.test.ts':
            "import { test } from 'vitest';\nimport 'node:fs';\nimport '../src/index.ts';",
          'packages/upper/test/b.test.ts': "import '@x/lower/testing';\nimport '@x/upper';",
        },
        { upper: { dependencies: { 'only-adapter': '*' } } },
      ),
    ).toEqual([]);
  });

  test.each<[what: string, file: string, text: string, problem: string]>([
    ['an import upwards', 'lower/src/a.ts', "import '@x/upper';", '"@x/upper" is not declared'],
    ['a type imported upwards', 'lower/src/a.ts', "import type { A } from '@x/upper';", 'not declared'],
    ['an import type', 'lower/src/a.ts', "export type A = import('@x/upper').A;", 'not declared'],
    ['a dynamic import', 'lower/src/a.ts', "export const a = () => import('@x/upper');", 'not declared'],
    ['a re-export', 'lower/src/a.ts', "export * from '@x/upper';", 'not declared'],
    ['a require', 'lower/src/a.cts', "require('@x/upper');", 'not declared'],
    ['a computed import', 'lower/src/a.ts', 'export const a = (b: string) => import(b);', 'what it computes'],
    ['a deep import', 'upper/src/a.ts', "import '@x/lower/src/index.ts';", 'not in the exports map'],
    ['a deep import by a test', 'upper/test/a.ts', "import '@x/lower/src/a.ts';", 'not in the exports map'],
    [
      'a path out of the package',
      'upper/src/a.ts',
      "import '../../lower/src/index.ts';",
      'leaves the package',
    ],
    ['the same by a test', 'upper/test/a.ts', "import '../../lower/src/index.ts';", 'leaves the package'],
    ['a module of Node', 'lower/src/a.ts', "import 'node:fs';", '"node:fs" is not allowed'],
    ['a module of Node without its prefix', 'lower/src/a.ts', "import 'fs';", '"fs" is not declared'],
    ['an undeclared dependency', 'lower/src/a.ts', "import 'allowed';", '"allowed" is not declared'],
    ['one for development', 'lower/src/a.ts', "import 'vitest';", '"vitest" is not declared'],
    ['test doubles of another', 'upper/src/a.ts', "import '@x/lower/testing';", 'for tests only'],
    ['own test doubles', 'upper/src/a.ts', "import './testing/b.ts';", 'for tests only'],
    ['a package that imports itself', 'upper/src/a.ts', "import '@x/upper';", 'is the package itself'],
    ['a circle of one', 'upper/src/a.ts', "import './a.ts';", 'import cycle: packages/upper/src/a.ts → '],
  ])('%s', (_what, file, text, problem) => {
    const problems = problemsOf({ [`packages/${file}`]: text });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(`packages/${file}:1 `);
    expect(problems[0]).toContain(problem);
  });

  test('an import upwards that is declared', () => {
    const problems = problemsOf(
      { 'packages/lower/src/a.ts': "\nimport '@x/upper';" },
      { lower: { dependencies: { '@x/upper': '*' } } },
    );
    expect(problems).toEqual(['packages/lower/src/a.ts:2 "@x/upper" is not allowed in @x/lower']);
  });

  test('an adapter’s dependency outside of the adapter', () => {
    const problems = problemsOf(
      { 'packages/upper/src/a.ts': "import 'only-adapter';" },
      { upper: { dependencies: { 'only-adapter': '*' } } },
    );
    expect(problems).toEqual(['packages/upper/src/a.ts:1 "only-adapter" is not allowed in @x/upper']);
  });

  test('a dependency that nothing imports', () => {
    const problems = problemsOf({}, { lower: { dependencies: { allowed: '*' } } });
    expect(problems).toEqual(['packages/lower/package.json:1 "allowed" is never imported']);
  });

  test('a circle of three modules, once', () => {
    const problems = problemsOf({
      'packages/upper/src/a.ts': "import './b.ts';",
      'packages/upper/src/b.ts': "export * from './c.ts';",
      'packages/upper/src/c.ts': "import { A } from './a.ts';",
    });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/cycle: .*a\.ts → .*b\.ts → .*c\.ts → .*a\.ts$/);
  });

  test('no circle where one of its imports is erased', () => {
    const problems = problemsOf({
      'packages/upper/src/a.ts': "import './b.ts';",
      'packages/upper/src/b.ts': "import { type A } from './a.ts';\nimport type * as a from './a.ts';",
    });
    expect(problems).toEqual([]);
  });

  test('a package that the table does not know', () => {
    const problems = problemsOf({
      'packages/other/package.json': '{ "name": "@x/other" }',
    });
    expect(problems).toEqual(['packages/other:1 @x/other is not in the table of layers']);
  });
});
