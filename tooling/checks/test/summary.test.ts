import { describe, expect, test } from 'vitest';
import type { TestModule } from 'vitest/node';
import { summarize } from '../src/summary-reporter.ts';

type State = 'passed' | 'failed' | 'skipped' | 'pending';

function moduleOf(state: State, ...tests: State[]): TestModule {
  const all = tests.map((entry) => ({ result: () => ({ state: entry }) }));
  return { state: () => state, children: { allTests: () => all } } as unknown as TestModule;
}

describe('the last line of a test run', () => {
  test('counts tests', () => {
    const modules = [moduleOf('failed', 'passed', 'failed', 'passed'), moduleOf('passed', 'passed')];
    expect(summarize(modules, [])).toBe('3 passed, 1 failed');
  });

  test('names skipped tests only if there are any', () => {
    expect(summarize([moduleOf('passed', 'passed', 'skipped')], [])).toBe('1 passed, 0 failed, 1 skipped');
  });

  test('counts a file that could not be loaded', () => {
    expect(summarize([moduleOf('failed'), moduleOf('passed', 'passed')], [])).toBe('1 passed, 1 failed');
  });

  test('counts an error outside of any test', () => {
    expect(summarize([moduleOf('passed', 'passed')], [new Error('stray')])).toBe('1 passed, 1 failed');
  });

  test('counts a test that never ended as failed', () => {
    expect(summarize([moduleOf('pending', 'pending')], [])).toBe('0 passed, 1 failed');
  });
});
