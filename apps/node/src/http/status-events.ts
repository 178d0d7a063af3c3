import type { Clock, Timer } from '@mosaik/wire/runtime';
import type { NodeHandle } from './node-handle.ts';
import type { NodeStatus } from './node-status.ts';

/** At most so often, however fast things change: what happens in between coalesces. */
const MIN_INTERVAL_MS = 100;
/** Round trips change without telling: looked at this often. */
const REFRESH_MS = 2_000;

/**
 * The status as server-sent events (WHATWG HTML §9.2): one at once, one whenever it changes, a comment as heartbeat
 * when nothing did.
 *
 * Holds at most one event: nothing is described before the reader took the last one, so a slow reader costs nothing
 * and sees the latest state. Ends when `signal` aborts; calls `onEnd` once, however it ended.
 */
export function statusEvents(
  node: NodeHandle,
  clock: Clock,
  signal: AbortSignal,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let timer: Timer | undefined;
  let wake: (() => void) | undefined;
  let dirty = false;
  let last: { fingerprint: string; atMs: number } | undefined;
  let stopped = false;

  const unsubscribe = node.onChange(() => {
    dirty = true;
    wake?.();
  });
  const stop = () => {
    if (stopped) return;
    stopped = true;
    unsubscribe();
    signal.removeEventListener('abort', stop);
    wake?.();
    onEnd();
  };
  signal.addEventListener('abort', stop);

  const sleep = (ms: number, wakeOnChange: boolean) =>
    new Promise<void>((resolve) => {
      const finish = () => {
        timer?.cancel();
        wake = undefined;
        resolve();
      };
      timer = clock.schedule(ms, finish);
      wake = () => {
        if (wakeOnChange || stopped) finish();
      };
    });

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (last && !stopped) {
          if (!dirty) await sleep(REFRESH_MS, true);
          const earlyMs = last.atMs + MIN_INTERVAL_MS - clock.nowMs();
          if (earlyMs > 0 && !stopped) await sleep(earlyMs, false);
        }
        if (stopped || signal.aborted) {
          stop();
          controller.close();
          return;
        }
        dirty = false;
        const status = node.status();
        const fingerprint = JSON.stringify(timeless(status));
        const changed = fingerprint !== last?.fingerprint;
        last = { fingerprint, atMs: clock.nowMs() };
        const text = changed ? `event: status\ndata: ${JSON.stringify(status)}\n\n` : ': nothing new\n\n';
        controller.enqueue(encoder.encode(text));
      },
      cancel: stop,
    },
    { highWaterMark: 0 },
  );
}

/** A status without what changes with every look at the clock. */
function timeless(status: NodeStatus): object {
  return { ...status, uptimeMs: 0, bonds: status.bonds.map((bond) => ({ ...bond, ageMs: 0 })) };
}
