/** Values above this have memory of their own. */
const MAX_PAGED_BYTES = 1024;
const PAGE_BYTES = 32 * 1024;
/** So much more than twice the bytes of all values is copied before pages are cleaned. */
const SLACK_BYTES = 1 << 20;
/** Values that are moved with each write while pages are cleaned. */
const CLEANED_AT_ONCE = 4;

/** One key, its value, and the index of the log entry that wrote it. Never changed, only replaced. */
export interface KeyValueEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly index: number;
}

/**
 * A map that copies its values, small ones together into pages: an ArrayBuffer for each takes several times the bytes of
 * the value, and to make and collect them a third of the time of a replicated write.
 *
 * A page is free when no value in it is left. So that a few old values do not keep most pages, all are moved to new ones
 * now and then, some with each write: pages take at most about four times the bytes of their values, and a megabyte.
 */
export class PagedValues {
  readonly #entries = new Map<string, KeyValueEntry>();
  #page = new Uint8Array(0);
  #buffer = this.#page.buffer;
  #used = 0;
  /** Of all values in pages. */
  #liveBytes = 0;
  /** Copied to pages since cleaning began last, by that too. */
  #copiedBytes = 0;
  #cleaning: Iterator<KeyValueEntry> | undefined;

  get size(): number {
    return this.#entries.size;
  }

  /** Its value is a view of memory that others share: not to be changed, or handed out. */
  get(key: string): KeyValueEntry | undefined {
    return this.#entries.get(key);
  }

  /** In the order in which keys were first set. */
  values(): IterableIterator<KeyValueEntry> {
    return this.#entries.values();
  }

  set(key: string, value: Uint8Array, index: number): void {
    const before = this.#entries.get(key);
    if (before) this.#forget(before);
    this.#entries.set(key, { key, value: this.#copy(value), index });
    if (value.length <= MAX_PAGED_BYTES) this.#liveBytes += value.length;
    this.#clean();
  }

  delete(key: string): void {
    const before = this.#entries.get(key);
    if (!before) return;
    this.#forget(before);
    this.#entries.delete(key);
    this.#clean();
  }

  clear(): void {
    this.#entries.clear();
    this.#liveBytes = 0;
    this.#copiedBytes = 0;
    this.#cleaning = undefined;
  }

  #forget({ value }: KeyValueEntry): void {
    if (value.length <= MAX_PAGED_BYTES) this.#liveBytes -= value.length;
  }

  #copy(value: Uint8Array): Uint8Array {
    const { length } = value;
    if (length > MAX_PAGED_BYTES) return value.slice();
    if (this.#used + length > this.#page.length) {
      this.#page = new Uint8Array(PAGE_BYTES);
      this.#buffer = this.#page.buffer;
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += length;
    this.#copiedBytes += length;
    this.#page.set(value, at);
    return new Uint8Array(this.#buffer, at, length);
  }

  /** Moves a few values on, in the order of the map, which replacing an entry does not change. */
  #clean(): void {
    if (!this.#cleaning) {
      if (this.#copiedBytes < SLACK_BYTES + 2 * this.#liveBytes) return;
      this.#copiedBytes = 0;
      this.#cleaning = this.#entries.values();
    }
    for (let i = 0; i < CLEANED_AT_ONCE; i += 1) {
      const next = this.#cleaning.next();
      if (next.done) {
        this.#cleaning = undefined;
        return;
      }
      const { key, value, index } = next.value;
      if (value.length <= MAX_PAGED_BYTES) this.#entries.set(key, { key, value: this.#copy(value), index });
    }
  }
}
