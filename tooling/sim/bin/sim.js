// `pnpm sim`: bundles the simulator with the packages from source, and runs it.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle, ownDirectory } from '@mosaik/tooling-config/bundle';

const here = fileURLToPath(new URL('..', import.meta.url));
const outfile = join(ownDirectory(here), 'sim.js');

/** A simulation runs on memory: the native transport is not loaded, so it need not be installed either. */
const withoutQuic = {
  name: 'without-quic',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@mosaik\/transport\/quic$/ }, ({ path }) => ({ path, namespace: 'without' }));
    onLoad({ filter: /.*/, namespace: 'without' }, () => ({
      contents: `export const quicTransport = { listen: () => Promise.reject(new Error('a simulation has no QUIC')) };`,
    }));
  },
};

await bundle({
  entryPoints: [`${here}/src/program.ts`],
  outfile,
  sourcemap: 'inline',
  // Bundles the mutants.
  external: ['esbuild'],
  plugins: [withoutQuic],
});

process.setSourceMapsEnabled(true);
const { main } = await import(pathToFileURL(outfile).href);
process.exitCode = await main(
  process.argv.slice(2),
  outfile,
  fileURLToPath(new URL('../../..', import.meta.url)),
);
