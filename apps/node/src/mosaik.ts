#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { script, style } from 'virtual:dashboard';
import { runCommandLine } from './cli/run-command-line.ts';
import { createDashboardPage } from './dashboard/page.ts';

// Whoever reads our output may stop to: that ends no node.
process.stdout.on('error', () => {});

process.exitCode = await runCommandLine(process.argv, {
  executable: fileURLToPath(import.meta.url),
  page: createDashboardPage({ script, style }),
});
