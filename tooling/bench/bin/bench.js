// pnpm bench [NAME…] [--json]: bundles src/NAME.ts from source and runs it; without names, all of them.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const known = readdirSync(join(root, 'src')).map((file) => file.replace(/\.ts$/, ''));
const args = process.argv.slice(2).filter((arg) => arg !== '--');
const names = args.filter((arg) => !arg.startsWith('-'));
const unknown = [
  ...names.filter((name) => !known.includes(name)),
  ...args.filter((arg) => arg.startsWith('-') && arg !== '--json'),
];
if (unknown.length > 0) {
  console.error(`bench: ${unknown.join(', ')}: expected ${known.join(', ')} or --json`);
  process.exit(2);
}

for (const name of names.length > 0 ? names : known) {
  const outfile = join(root, 'dist', `${name}.js`);
  await build({
    stdin: {
      contents: `import { bench } from './src/${name}.ts'; import { main } from './lib/main.ts'; await main(bench);`,
      resolveDir: root,
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@mosaik/source'],
    // Native binaries, and accelerators of JavaScript ones, are found relative to their own files; CommonJS in a bundle needs a require.
    external: ['@matrixai/*', 'lmdb', 'msgpackr', 'cbor-x'],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  const { status } = spawnSync(process.execPath, [outfile, ...args.filter((arg) => arg === '--json')], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
