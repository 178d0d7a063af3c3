import type { Rng } from '@mosaik/wire/runtime';

export interface HeartbeatInit {
  intervalMs: number;
  jitterMs: number;
  maxMissed: number;
  rng: Rng;
}

/** What a tick asks for. `dead` once `maxMissed` ticks in a row had no sign of life. */
export interface HeartbeatVerdict {
  readonly ping: boolean;
  readonly dead: boolean;
}

const NOTHING: HeartbeatVerdict = { ping: false, dead: false };

/**
 * Liveness of one peer: ticks every `intervalMs − rand(0, jitterMs)`, so that many heartbeats do not fall together.
 *
 * Differs from the original, which counts every tick without a message since the one before: here a tick counts as
 * missed only when nothing arrived for `intervalMs + jitterMs`, because two sides' ticks drift through each other.
 */
export class Heartbeat {
  readonly #init: HeartbeatInit;
  #dueMs: number;
  #lastTickMs: number;
  #receivedMs: number;
  #writtenMs: number;
  #missed = 0;
  #postponed = false;

  constructor(init: HeartbeatInit, nowMs: number) {
    this.#init = init;
    this.#lastTickMs = nowMs;
    this.#receivedMs = nowMs;
    this.#writtenMs = nowMs;
    this.#dueMs = nowMs + this.#delayMs();
  }

  /** Ticks in a row without a sign of life. */
  get missed(): number {
    return this.#missed;
  }

  nextDeadlineMs(): number {
    return this.#dueMs;
  }

  /** Anything arrived from the peer, on whichever stream. */
  handleReceived(nowMs: number): void {
    this.#receivedMs = nowMs;
    this.#missed = 0;
  }

  /** Something was written that the peer will count as a sign of life. */
  handleWritten(nowMs: number): void {
    this.#writtenMs = nowMs;
  }

  /**
   * Whoever is awake for another's tick need not wake again for this one: before it is due it goes along from the shortest
   * interval on, and not before two thirds of the longest. The other one sets the pace then: the next is due at the latest.
   */
  handleTick(nowMs: number): HeartbeatVerdict {
    const { intervalMs, jitterMs, maxMissed } = this.#init;
    const along = nowMs < this.#dueMs;
    if (along && nowMs < this.#lastTickMs + intervalMs - Math.min(jitterMs, intervalMs / 3)) return NOTHING;
    if (nowMs - this.#dueMs > 2 * intervalMs && !this.#postponed) {
      // This process was held up, not the peer: what arrived meanwhile must be read before silence is counted.
      this.#postponed = true;
      this.#dueMs = nowMs;
      return NOTHING;
    }
    this.#postponed = false;
    if (nowMs - this.#receivedMs > intervalMs + jitterMs) this.#missed += 1;
    const ping = this.#writtenMs <= this.#lastTickMs;
    this.#lastTickMs = nowMs;
    this.#dueMs = nowMs + (along ? intervalMs : this.#delayMs());
    return { ping, dead: this.#missed >= maxMissed };
  }

  #delayMs(): number {
    return this.#init.intervalMs - this.#init.rng.float() * this.#init.jitterMs;
  }
}
