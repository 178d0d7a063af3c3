import type { Clock, Timer } from '@mosaik/wire/runtime';

/**
 * A timer fires this much late: rounding between true and local time must never let it fire just before its moment,
 * because whoever set it would set it again for a wait too short to move time at all.
 */
const LATE_MS = 1e-6;

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
    return this.#base.schedule(Math.max(0, delayMs) / this.#rate + LATE_MS, () => {
      if (!this.#stopped) callback();
    });
  }

  /** The process is gone. */
  stop(): void {
    this.#stopped = true;
  }
}
