import type { Clock, Watch } from '@mosaik/wire/runtime';
import { GroupError } from './errors.ts';

/** How long to wait for a state; without either, until the group closes. */
export interface WaitOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/**
 * Resolves with the first value for which `pick` gives something, the current one included.
 *
 * @throws GroupError `timeout` (saying what the last value was), the watch's close error, or the signal's reason.
 */
export async function waitFor<T, V>(
  clock: Clock,
  watch: Watch<T>,
  pick: (value: T) => V | undefined,
  options: WaitOptions & { what: string; describe: (value: T) => string },
): Promise<V> {
  const now = pick(watch.value);
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  if (now !== undefined) return now;

  let end = () => {};
  try {
    // Looks at every value, also at one that the next overwrites before a continuation could run.
    return await new Promise<V>((resolve, reject) => {
      const unsubscribe = watch.subscribe((value) => {
        const found = pick(value);
        if (found !== undefined) resolve(found);
      }, reject);
      const handleLate = () => {
        const last = options.describe(watch.value);
        reject(
          new GroupError('timeout', `${options.what} did not happen within ${timeoutMs} ms; last: ${last}`),
        );
      };
      const timer = timeoutMs === undefined ? undefined : clock.schedule(timeoutMs, handleLate);
      const abort = () => reject(signal?.reason);
      signal?.addEventListener('abort', abort);
      end = () => {
        unsubscribe();
        timer?.cancel();
        signal?.removeEventListener('abort', abort);
      };
    });
  } finally {
    end();
  }
}
