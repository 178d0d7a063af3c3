import type { Clock, Watch } from '@mosaik/wire/runtime';
import { type WaitOptions, waitFor } from './wait-for.ts';

/** Waits on an index of the log that mostly rises: the commit index, or the end of the local log. */
export class CursorWatcher<T> {
  readonly #clock: Clock;
  readonly #watch: Watch<T>;
  readonly #read: (value: T) => number;
  readonly #name: string;

  constructor(clock: Clock, watch: Watch<T>, read: (value: T) => number, name: string) {
    this.#clock = clock;
    this.#watch = watch;
    this.#read = read;
    this.#name = name;
  }

  /** Resolves with the index once it is at least `target`, or lies within `target`'s bounds (both inclusive). */
  reaches(target: number | { from: number; to: number }, options: WaitOptions = {}): Promise<number> {
    const { from, to } = typeof target === 'number' ? { from: target, to: Number.POSITIVE_INFINITY } : target;
    return this.#wait(`${this.#name} reaching ${from}`, (index) => index >= from && index <= to, options);
  }

  /** Resolves with the index once it is above what it is now. */
  advanced(options: WaitOptions = {}): Promise<number> {
    const before = this.#read(this.#watch.value);
    return this.#wait(`${this.#name} rising above ${before}`, (index) => index > before, options);
  }

  /** Resolves with the index once it differs from what it is now. */
  changed(options: WaitOptions = {}): Promise<number> {
    const before = this.#read(this.#watch.value);
    return this.#wait(`${this.#name} leaving ${before}`, (index) => index !== before, options);
  }

  /** Resolves with the index once it falls: entries were taken back. */
  reverted(options: WaitOptions = {}): Promise<number> {
    let highest = this.#read(this.#watch.value);
    return this.#wait(
      `${this.#name} falling`,
      (index) => {
        const fell = index < highest;
        highest = Math.max(highest, index);
        return fell;
      },
      options,
    );
  }

  #wait(what: string, holds: (index: number) => boolean, options: WaitOptions): Promise<number> {
    const read = this.#read;
    return waitFor(
      this.#clock,
      this.#watch,
      (value) => {
        const index = read(value);
        return holds(index) ? index : undefined;
      },
      { ...options, what, describe: (value) => `${this.#name} ${read(value)}` },
    );
  }
}
