import { defineConfig } from 'tsup';

/** ESM build with declarations; every listed entry is one line of the package's exports map. */
export const library = (entries, options = {}) =>
  defineConfig({
    entry: Object.fromEntries(entries.map((entry) => [entry, `src/${entry}.ts`])),
    format: 'esm',
    target: 'node20',
    platform: 'node',
    dts: true,
    sourcemap: true,
    clean: true,
    splitting: true,
    treeshake: true,
    ...options,
  });
