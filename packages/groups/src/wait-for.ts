import type { Clock, Timer, Watch } from '@mosaik/wire/runtime';
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
  options.signal?.throwIfAborted();
  if (now !== undefined) return now;

  const abort = new AbortController();
  const stop = () => abort.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', stop, { once: true });
  let timer: Timer | undefined;
  if (options.timeoutMs !== undefined) {
    timer = clock.schedule(options.timeoutMs, () => {
      const last = options.describe(watch.value);
      abort.abort(
        new GroupError(
          'timeout',
          `${options.what} did not happen within ${options.timeoutMs} ms; last: ${last}`,
        ),
      );
    });
  }
  try {
    return await next(watch, pick, abort.signal);
  } finally {
    timer?.cancel();
    options.signal?.removeEventListener('abort', stop);
  }
}

/** Looks at every value, also at one that the next overwrites before a continuation could run. */
function next<T, V>(watch: Watch<T>, pick: (value: T) => V | undefined, signal: AbortSignal): Promise<V> {
  return new Promise((resolve, reject) => {
    const unsubscribe = watch.subscribe((value) => {
      const found = pick(value);
      if (found === undefined) return;
      unsubscribe();
      resolve(found);
    });
    // Only closing and aborting end this one early; values come through the subscription.
    const watchClose = (): Promise<void> => watch.changed({ signal }).then(watchClose);
    watchClose().catch((error: unknown) => {
      unsubscribe();
      reject(error);
    });
    signal.addEventListener('abort', unsubscribe, { once: true });
  });
}
