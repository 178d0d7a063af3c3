import { defineConfig } from 'tsup';
import { dashboardPlugin } from './scripts/dashboard-plugin.ts';

export default defineConfig({
  entry: { mosaik: 'src/mosaik.ts' },
  format: 'esm',
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  clean: true,
  splitting: true,
  treeshake: true,
  esbuildPlugins: [dashboardPlugin],
});
