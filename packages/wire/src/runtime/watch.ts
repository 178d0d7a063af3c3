/** The readable side of a watch cell: the latest value, and a promise for the next one. */
export interface Watch<T> {
  readonly value: T;
  /**
   * Resolves with the first value set after this call; values in between coalesce.
   *
   * @throws the signal's reason when aborted; the close error once the cell is closed.
   */
  changed(options?: { signal?: AbortSignal | undefined }): Promise<T>;
  /**
   * Calls `listener` on every set, synchronously, until the returned function is called; `handleClosed` once, with the
   * close error, when the cell closes, or at once when it is closed.
   */
  subscribe(listener: (value: T) => void, handleClosed?: (reason: unknown) => void): () => void;
}

/**
 * A cell that holds the latest value and tells whoever waits: state, not a queue of events, so it needs no bound.
 *
 * Setting a value that is `Object.is`-equal to the current one tells nobody.
 */
export class WatchCell<T> implements Watch<T> {
  #value: T;
  #closed: { reason: unknown } | undefined;
  readonly #listeners = new Set<(value: T) => void>();
  readonly #closers = new Set<(reason: unknown) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (this.#closed || Object.is(value, this.#value)) return;
    this.#value = value;
    const [first] = this.#listeners;
    if (first && this.#listeners.size === 1) {
      // Mostly there is but one, and what it adds meanwhile is not told.
      first(value);
      return;
    }
    for (const listener of [...this.#listeners]) {
      // One that another listener just took away is no longer told.
      if (this.#listeners.has(listener)) listener(value);
    }
  }

  /** Keeps the value; every pending and later `changed` rejects with `reason`. */
  close(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = { reason };
    for (const closer of [...this.#closers]) closer(reason);
    this.#listeners.clear();
    this.#closers.clear();
  }

  subscribe(listener: (value: T) => void, handleClosed?: (reason: unknown) => void): () => void {
    if (this.#closed) {
      handleClosed?.(this.#closed.reason);
      return () => {};
    }
    this.#listeners.add(listener);
    if (handleClosed) this.#closers.add(handleClosed);
    return () => {
      this.#listeners.delete(listener);
      if (handleClosed) this.#closers.delete(handleClosed);
    };
  }

  changed({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#closed) return reject(this.#closed.reason);
      const settle = <V>(finish: (value: V) => void) => {
        return (value: V) => {
          unsubscribe();
          signal?.removeEventListener('abort', onAbort);
          finish(value);
        };
      };
      const onClose = settle<unknown>(reject);
      const onAbort = () => onClose(signal?.reason);
      const unsubscribe = this.subscribe(settle<T>(resolve), onClose);
      signal?.addEventListener('abort', onAbort);
    });
  }
}
