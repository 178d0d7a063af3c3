// `pnpm sim`: bundles the simulator with the packages from source, and runs it.
import { rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('..', import.meta.url));
// Named for the process: runs side by side must not write over each other's.
const outfile = `${here}/dist/sim-${process.pid}.js`;

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

await build({
  entryPoints: [`${here}/src/program.ts`],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  conditions: ['@mosaik/source'],
  external: ['esbuild'],
  plugins: [withoutQuic],
  logLevel: 'warning',
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});

process.setSourceMapsEnabled(true);
process.on('exit', () => rmSync(outfile, { force: true }));
const { main } = await import(pathToFileURL(outfile).href);
process.exitCode = await main(
  process.argv.slice(2),
  outfile,
  fileURLToPath(new URL('../../..', import.meta.url)),
);
