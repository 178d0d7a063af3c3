import type { Timer } from '@mosaik/wire/runtime';
import { settle, VirtualClock } from '@mosaik/wire/testing';

interface Pending {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Virtual time that work takes up too: while it passes no timer fires, and those that are due then fire late. */
export class BusyClock extends VirtualClock {
  #nowMs = 0;
  #pending: Pending[] = [];

  /** Somebody computes for so long. */
  burn(ms: number): void {
    this.#nowMs += ms;
  }

  override nowMs(): number {
    return this.#nowMs;
  }

  override schedule(delayMs: number, callback: () => void): Timer {
    const pending = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#pending.push(pending);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== pending);
      },
    };
  }

  override fireNext(limitMs = Number.POSITIVE_INFINITY): boolean {
    const next = this.#pending.reduce<Pending | undefined>(
      (first, pending) => (first && first.atMs <= pending.atMs ? first : pending),
      undefined,
    );
    if (!next || next.atMs > limitMs) return false;
    this.#pending = this.#pending.filter((pending) => pending !== next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.callback();
    return true;
  }

  override async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settle();
    while (this.fireNext(untilMs)) await settle();
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  override async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const untilMs = this.#nowMs + limitMs;
    await settle();
    while (!condition()) {
      if (!this.fireNext(untilMs)) throw new Error(`condition did not hold within ${limitMs} virtual ms`);
      await settle();
    }
  }
}
