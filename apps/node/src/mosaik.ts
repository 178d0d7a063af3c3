#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { script, style } from 'virtual:dashboard';
import { runCommandLine } from './cli/run-command-line.ts';
import { createDashboardPage } from './dashboard/page.ts';

process.exitCode = await runCommandLine(process.argv, {
  executable: fileURLToPath(import.meta.url),
  page: createDashboardPage({ script, style }),
});
