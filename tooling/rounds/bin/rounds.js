// `pnpm rounds`: bundles the members and what torments them from source, and runs it.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle, ownDirectory } from '@mosaik/tooling-config/bundle';

const here = fileURLToPath(new URL('..', import.meta.url));
const outdir = ownDirectory(here);
await bundle({ entryPoints: [join(here, 'src/cli.ts'), join(here, 'src/member-process.ts')], outdir });
const { main } = await import(pathToFileURL(join(outdir, 'cli.js')).href);
process.exitCode = await main(process.argv.slice(2), join(outdir, 'member-process.js'));
