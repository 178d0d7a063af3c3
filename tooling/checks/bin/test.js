// `pnpm test [FILTER…]`: builds, runs every test, and ends with `N passed, N failed`, whatever went wrong before.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, run } from './build.js';

const directory = mkdtempSync(join(tmpdir(), 'mosaik-test-'));
const summaryFile = join(directory, 'summary');
let summary = '0 passed, 1 failed';
let status = 1;
try {
  if (build()) {
    const args = ['run', '--config', 'tooling/config/vitest.config.ts'];
    args.push('--reporter=default', '--reporter=./tooling/checks/src/summary-reporter.ts');
    status =
      run('vitest', [...args, ...process.argv.slice(2)], { env: { TEST_SUMMARY_FILE: summaryFile } })
        .status ?? 1;
    if (existsSync(summaryFile)) summary = readFileSync(summaryFile, 'utf8');
    else if (status === 0) status = 1;
    // A run that failed without a failed test, such as by a killed worker, is a failure of its own.
    if (status !== 0) summary = summary.replace(', 0 failed', ', 1 failed');
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
console.log(summary);
process.exitCode = status;
