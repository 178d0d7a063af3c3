import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const directory = fileURLToPath(new URL('../src/dashboard/', import.meta.url));

/** Bundles the dashboard and hands it to the command as two strings, `virtual:dashboard`. */
export const dashboardPlugin: Plugin = {
  name: 'dashboard',
  setup(context) {
    context.onResolve({ filter: /^virtual:dashboard$/ }, ({ path }) => ({ path, namespace: 'dashboard' }));
    context.onLoad({ filter: /.*/, namespace: 'dashboard' }, async () => {
      const common = { bundle: true, minify: true, write: false, absWorkingDir: directory } as const;
      const [script, style] = await Promise.all([
        build({
          ...common,
          entryPoints: ['main.tsx'],
          format: 'esm',
          platform: 'browser',
          target: 'es2022',
          jsx: 'automatic',
          jsxImportSource: 'preact',
        }),
        build({ ...common, entryPoints: ['style.css'] }),
      ]);
      const text = ({ outputFiles }: typeof script) => JSON.stringify(outputFiles[0]?.text.trim() ?? '');
      return { contents: `export const script = ${text(script)};\nexport const style = ${text(style)};` };
    });
  },
};
