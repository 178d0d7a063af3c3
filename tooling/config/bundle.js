import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * Bundles programs for Node with the packages from source. Options are those of esbuild: `external` adds to what is set
 * here, any other replaces it.
 */
export const bundle = ({ external = [], ...options }) =>
  build({
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@mosaik/source'],
    // Native binaries are found relative to their own files.
    external: ['@matrixai/*', ...external],
    // CommonJS in a bundle needs a require.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
    ...options,
  });

/**
 * A new directory in `top`/dist that is removed when this process exits: runs side by side do not write over each
 * other's bundles, and what is not bundled is found from there.
 */
export function ownDirectory(top) {
  const dist = join(top, 'dist');
  mkdirSync(dist, { recursive: true });
  const directory = mkdtempSync(join(dist, 'run-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
