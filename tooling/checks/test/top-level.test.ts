import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { topLevelProblems } from '../src/top-level.ts';
import { repository } from '../src/workspace.ts';
import { directoryOf } from './fixture.ts';

test('the top of the repository holds nothing but what the architecture lists', () => {
  expect(topLevelProblems(repository)).toEqual([]);
});

describe('a file that does not belong there is found', () => {
  const files = { 'README.md': '', '.dot/a': '', 'packages/a/b': '', 'scripts/a.sh': '', 'notes.txt': '' };

  test('in an unpacked archive', () => {
    expect(topLevelProblems(directoryOf({ ...files, 'node_modules/a/b': '' })).sort()).toEqual([
      'notes.txt',
      'scripts',
    ]);
  });

  test('in a git repository, which may ignore some', () => {
    const root = directoryOf({ ...files, '.gitignore': 'dist\n', 'dist/a': '' });
    execFileSync('git', ['init', '-q'], { cwd: root });
    expect(topLevelProblems(root).sort()).toEqual(['notes.txt', 'scripts']);
  });
});
