// pnpm bench [NAME…] [--json]: bundles src/NAME.ts from source and runs it; without names, all of them.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, ownDirectory } from '@mosaik/tooling-config/bundle';

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

const directory = ownDirectory(root);
for (const name of names.length > 0 ? names : known) {
  const outfile = join(directory, `${name}.js`);
  await bundle({
    stdin: {
      contents: `import { bench } from './src/${name}.ts'; import { main } from './lib/main.ts'; await main(bench);`,
      resolveDir: root,
    },
    outfile,
    // A native binary, and accelerators of JavaScript ones.
    external: ['lmdb', 'msgpackr', 'cbor-x'],
  });
  const { status } = spawnSync(process.execPath, [outfile, ...args.filter((arg) => arg === '--json')], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
