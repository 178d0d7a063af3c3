import type { Clock, Timer } from '@mosaik/wire/runtime';

/** The clock of one process: it drifts, its wall time is off, and when the process dies nothing of it fires any more. */
export class LifeClock implements Clock {
  readonly #base: Clock;
  readonly #rate: number;
  readonly #wallOffsetMs: number;
  #stopped = false;

  /** `rate`: how much faster than true time it runs, 1 for a perfect clock. */
  constructor(base: Clock, rate = 1, wallOffsetMs = 0) {
    this.#base = base;
    this.#rate = rate;
    this.#wallOffsetMs = wallOffsetMs;
  }

  nowMs(): number {
    return this.#base.nowMs() * this.#rate;
  }

  wallMs(): number {
    return this.#base.wallMs() + this.#wallOffsetMs;
  }

  schedule(delayMs: number, callback: () => void): Timer {
    if (this.#stopped) return { cancel() {} };
    return this.#base.schedule(Math.max(0, delayMs) / this.#rate, () => {
      if (!this.#stopped) callback();
    });
  }

  /** The process is gone. */
  stop(): void {
    this.#stopped = true;
  }
}
