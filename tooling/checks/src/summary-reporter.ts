import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * Writes `N passed, N failed[, N skipped]` to the file named by `TEST_SUMMARY_FILE`.
 *
 * A file that cannot be loaded and an error outside of any test count as one failure each.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const file = process.env.TEST_SUMMARY_FILE;
    if (file !== undefined) writeFileSync(file, summarize(modules, unhandledErrors));
  }
}

export function summarize(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): string {
  const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
  for (const module of modules) {
    const failedBefore = counts.failed;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // A test still pending when the run ends was never run: that is not a pass.
      counts[state === 'pending' ? 'failed' : state] += 1;
    }
    if (module.state() === 'failed' && counts.failed === failedBefore) counts.failed += 1;
  }
  const line = `${counts.passed} passed, ${counts.failed} failed`;
  return counts.skipped > 0 ? `${line}, ${counts.skipped} skipped` : line;
}
