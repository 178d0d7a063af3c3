// `pnpm rounds`: bundles the members and what torments them from source, and runs it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('..', import.meta.url));
// Beside the sources, so that what is not bundled is found; a directory each, so that runs do not disturb each other.
mkdirSync(join(here, 'dist'), { recursive: true });
const outdir = mkdtempSync(join(here, 'dist', 'run-'));
process.on('exit', () => rmSync(outdir, { recursive: true, force: true }));
await build({
  entryPoints: [join(here, 'src/cli.ts'), join(here, 'src/member-process.ts')],
  outdir,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['@mosaik/source'],
  external: ['@matrixai/*'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
const { main } = await import(pathToFileURL(join(outdir, 'cli.js')).href);
process.exitCode = await main(process.argv.slice(2), join(outdir, 'member-process.js'));
