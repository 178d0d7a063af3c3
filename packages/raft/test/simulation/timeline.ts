interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time: what is due, in order of its moment, then of when it was scheduled. */
export class Timeline {
  nowMs = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  /** How many events were ever scheduled. */
  get scheduled(): number {
    return this.#order;
  }

  after(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, order: this.#order++, run };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Event;
      // The newest comes last among those of its moment.
      if (event.atMs >= parent.atMs) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  runFor(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  /** Whether `condition` came to hold within `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number): boolean {
    const untilMs = this.nowMs + limitMs;
    for (;;) {
      if (condition()) return true;
      const next = this.#heap[0];
      if (!next || next.atMs > untilMs) break;
      this.#pop();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = untilMs;
    return condition();
  }

  /** Takes the first away: the last one moves down from its place. */
  #pop(): void {
    const heap = this.#heap;
    const event = heap.pop();
    const { length } = heap;
    if (!event || length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      let child = heap[below] as Event;
      const right = heap[below + 1];
      if (right && isBefore(right, child)) {
        below += 1;
        child = right;
      }
      if (isBefore(event, child)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = event;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
