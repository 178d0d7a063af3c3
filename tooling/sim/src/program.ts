import { serveSeeds } from './mesh/worker.ts';

/** The bundle's one module: the command line's, and what a worker thread runs. */
export { main } from './cli.ts';

serveSeeds();
