/** Promises that one event settles together, in the order they were asked for. */
export class WaitQueue {
  #waiters: { resolve: () => void; reject: (reason: unknown) => void }[] = [];

  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  get size(): number {
    return this.#waiters.length;
  }

  resolveAll(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve();
  }

  rejectAll(reason: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(reason);
  }
}
