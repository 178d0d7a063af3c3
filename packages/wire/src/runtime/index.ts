/**
 * `@mosaik/wire/runtime`: the ports and the one primitive that the drivers of every layer share.
 * Nothing here knows a protocol.
 */
export { type Clock, systemClock, type Timer } from './clock.ts';
export { type Logger, silentLogger } from './logger.ts';
export { type Metrics, silentMetrics } from './metrics.ts';
export { type Rng, systemRng } from './rng.ts';
export { type Watch, WatchCell } from './watch.ts';
