// `pnpm fuzz`: bundles the fuzzers with the packages from source, and runs them.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle } from '@mosaik/tooling-config/bundle';

const here = fileURLToPath(new URL('..', import.meta.url));
// Named for the process: runs side by side must not write over each other's.
const outfile = join(here, 'dist', `fuzz-${process.pid}.js`);
await bundle({ entryPoints: [join(here, 'src/cli.ts')], outfile, sourcemap: 'inline' });

process.setSourceMapsEnabled(true);
try {
  const { main } = await import(pathToFileURL(outfile).href);
  process.exitCode = await main(process.argv.slice(2));
} finally {
  rmSync(outfile);
}
