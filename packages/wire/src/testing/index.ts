/** `@mosaik/wire/testing`: virtual time and reproducible randomness for tests and simulations. */
export { seededRng } from './seeded-rng.ts';
export { settle, VirtualClock } from './virtual-clock.ts';
