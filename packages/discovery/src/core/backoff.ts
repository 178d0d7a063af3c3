import type { Rng } from '@mosaik/wire/runtime';

/** How long to wait after `failures` earlier failures: doubling from base to max, the upper half of it random. */
export function backoffMs(
  failures: number,
  { baseMs, maxMs }: { readonly baseMs: number; readonly maxMs: number },
  rng: Rng,
): number {
  const fullMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30));
  return (fullMs * (1 + rng.float())) / 2;
}
