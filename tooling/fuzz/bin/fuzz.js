// `pnpm fuzz`: bundles the fuzzers with the packages from source, and runs them.
import { rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('..', import.meta.url));
// Named for the process: runs side by side must not write over each other's.
const outfile = `${here}/dist/fuzz-${process.pid}.js`;

await build({
  entryPoints: [`${here}/src/cli.ts`],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  conditions: ['@mosaik/source'],
  // Native binaries are found relative to their own files.
  external: ['@matrixai/*'],
  logLevel: 'warning',
});

process.setSourceMapsEnabled(true);
try {
  const { main } = await import(pathToFileURL(outfile).href);
  process.exitCode = await main(process.argv.slice(2));
} finally {
  rmSync(outfile);
}
