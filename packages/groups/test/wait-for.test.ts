import { systemClock, type Watch, WatchCell } from '@mosaik/wire/runtime';
import { expect, test } from 'vitest';
import { waitFor } from '../src/wait-for.ts';

/** Counts who listens, and how often somebody asked for the next value. */
function counting<T>(cell: WatchCell<T>): Watch<T> & { listening: number; asked: number } {
  const watch = {
    listening: 0,
    asked: 0,
    get value() {
      return cell.value;
    },
    changed(options?: { signal?: AbortSignal | undefined }) {
      watch.asked += 1;
      return cell.changed(options);
    },
    subscribe(listener: (value: T) => void, handleClosed?: (reason: unknown) => void) {
      watch.listening += 1;
      const stop = cell.subscribe(listener, handleClosed);
      return () => {
        watch.listening -= 1;
        stop();
      };
    },
  };
  return watch;
}

const options = { what: 'a large number', describe: String };
const large = (value: number) => (value >= 10 ? value : undefined);

test('a wait that was answered leaves nothing behind on what it watched', async () => {
  const cell = new WatchCell(0);
  const watch = counting(cell);
  const waiting = waitFor(systemClock, watch, large, options);
  cell.set(3);
  cell.set(10);
  expect(await waiting).toBe(10);
  const { asked } = watch;
  for (const value of [11, 12, 13]) {
    cell.set(value);
    await Promise.resolve();
  }
  expect(watch.listening).toBe(0);
  expect(watch.asked).toBe(asked);
});

test('a wait that was given up leaves nothing behind either', async () => {
  const watch = counting(new WatchCell(0));
  const abort = new AbortController();
  const waiting = waitFor(systemClock, watch, large, { ...options, signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  const late = waitFor(systemClock, watch, large, { ...options, timeoutMs: 1 });
  await expect(late).rejects.toThrow('a large number did not happen within 1 ms; last: 0');
  expect(watch.listening).toBe(0);
});

test('a wait ends with the reason of the close, also when it begins after it', async () => {
  const cell = new WatchCell(0);
  const watch = counting(cell);
  const waiting = waitFor(systemClock, watch, large, options);
  cell.close(new Error('the group is closed'));
  await expect(waiting).rejects.toThrow('the group is closed');
  await expect(waitFor(systemClock, watch, large, options)).rejects.toThrow('the group is closed');
  expect(watch.listening).toBe(0);
});
