import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Packages are tested from source; what their users get (dist) is built first and checked in tooling/checks.
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: { conditions: ['@mosaik/source'] },
  ssr: { resolve: { conditions: ['@mosaik/source'], externalConditions: ['@mosaik/source'] } },
  test: {
    include: ['{packages,apps,tooling}/*/test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    maxWorkers: 2,
  },
});
