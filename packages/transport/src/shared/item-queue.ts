interface Taker<T> {
  resolve(item: T): void;
  reject(reason: unknown): void;
}

/** A bounded queue between a producer that may be refused and consumers that wait. */
export class ItemQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #takers = new Set<Taker<T>>();
  readonly #capacity: number;
  #ended: { reason: unknown } | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Whether someone waits for an item. */
  get wanted(): boolean {
    return this.#takers.size > 0;
  }

  /** False when the queue is full or ended: the item is then still the caller's. */
  push(item: T): boolean {
    if (this.#ended) return false;
    for (const taker of this.#takers) {
      this.#takers.delete(taker);
      taker.resolve(item);
      return true;
    }
    if (this.#items.length >= this.#capacity) return false;
    this.#items.push(item);
    return true;
  }

  /** Refuses further items; those queued can still be taken, then `take` rejects with `reason` and iteration ends. */
  end(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = { reason };
    for (const taker of this.#takers) taker.reject(reason);
    this.#takers.clear();
  }

  take(options: { signal?: AbortSignal | undefined } = {}): Promise<T> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift() as T);
    if (this.#ended) return Promise.reject(this.#ended.reason);
    return new Promise((resolve, reject) => {
      const settle = <V>(finish: (value: V) => void) => {
        return (value: V) => {
          signal?.removeEventListener('abort', onAbort);
          finish(value);
        };
      };
      const taker = { resolve: settle(resolve), reject: settle(reject) };
      const onAbort = () => {
        this.#takers.delete(taker);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort);
      this.#takers.add(taker);
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = await this.take();
      } catch (error) {
        if (this.#ended && error === this.#ended.reason) return;
        throw error;
      }
      yield item;
    }
  }
}
