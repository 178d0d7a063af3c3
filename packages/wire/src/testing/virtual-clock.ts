import type { Clock, Timer } from '../runtime/clock.ts';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

/**
 * Time that moves only when told to. Timers fire in order of due time, ties in the order they were set, so a run
 * depends on nothing but its inputs.
 */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #wallStartMs: number;
  readonly #heap: Pending[] = [];

  constructor(options: { wallStartMs?: number } = {}) {
    this.#wallStartMs = options.wallStartMs ?? Date.UTC(2030, 0, 1);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallStartMs + Math.floor(this.#nowMs);
  }

  schedule(delayMs: number, callback: () => void): Timer {
    const pending: Pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#push(pending);
    return {
      cancel: () => {
        pending.callback = undefined;
      },
    };
  }

  /** When the next timer is due, or undefined when none is set. */
  nextDueMs(): number | undefined {
    while (this.#heap[0] && !this.#heap[0].callback) this.#pop();
    return this.#heap[0]?.atMs;
  }

  /** Jumps to the next timer due no later than `limitMs` and fires it (only it). False when there is none. */
  fireNext(limitMs = Number.POSITIVE_INFINITY): boolean {
    const dueMs = this.nextDueMs();
    if (dueMs === undefined || dueMs > limitMs) return false;
    const pending = this.#pop();
    this.#nowMs = Math.max(this.#nowMs, dueMs);
    const callback = pending?.callback;
    if (pending) pending.callback = undefined;
    callback?.();
    return true;
  }

  /**
   * Advances by `durationMs`, firing what falls due, and lets every promise continuation settle between two timers.
   */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settle();
    while (this.fireNext(untilMs)) await settle();
    this.#nowMs = untilMs;
  }

  /**
   * Advances until `condition` holds, looking after each timer.
   *
   * @throws when it does not hold within `limitMs` of virtual time.
   */
  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const untilMs = this.#nowMs + limitMs;
    await settle();
    while (!condition()) {
      if (!this.fireNext(untilMs)) throw new Error(`condition did not hold within ${limitMs} virtual ms`);
      await settle();
    }
  }

  #push(pending: Pending): void {
    const heap = this.#heap;
    heap.push(pending);
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i], heap[parent])) break;
      [heap[i], heap[parent]] = [heap[parent] as Pending, heap[i] as Pending];
      i = parent;
    }
  }

  #pop(): Pending | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last && heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ; ) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) if (before(heap[child], heap[least])) least = child;
        if (least === i) break;
        [heap[i], heap[least]] = [heap[least] as Pending, heap[i] as Pending];
        i = least;
      }
    }
    return top;
  }
}

/** Lets every promise continuation that is ready run: the host's next macrotask comes only after all of them. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Pending | undefined, b: Pending | undefined): boolean {
  if (!a || !b) return a !== undefined;
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
