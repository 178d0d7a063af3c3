/**
 * What has a number and no end yet, by number. Numbers rise and are never given twice; one array, no allocation per
 * element.
 */
export class CallWindow<T> {
  #items: (T | undefined)[] = [];
  /** Where in `items` the lowest number that is still there stands. */
  #head = 0;
  #base = 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Everything below has come to its end. */
  get base(): number {
    return this.#base;
  }

  get next(): number {
    return this.#base + this.#items.length - this.#head;
  }

  /** Gives the item, or nothing at all, the next number. */
  push(item: T | undefined): number {
    const number = this.next;
    this.#items.push(item);
    if (item === undefined) this.#advance();
    else this.#size += 1;
    return number;
  }

  at(number: number): T | undefined {
    return number < this.#base ? undefined : this.#items[this.#head + number - this.#base];
  }

  delete(number: number): void {
    if (this.at(number) === undefined) return;
    this.#items[this.#head + number - this.#base] = undefined;
    this.#size -= 1;
    this.#advance();
  }

  /** From the lowest number up; the item visited may be deleted meanwhile. */
  forEach(visit: (item: T, number: number) => void): void {
    for (let number = this.#base, { next } = this; number < next && this.#size > 0; number += 1) {
      const item = this.at(number);
      if (item !== undefined) visit(item, number);
    }
  }

  #advance(): void {
    while (this.#head < this.#items.length && this.#items[this.#head] === undefined) {
      this.#head += 1;
      this.#base += 1;
    }
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}
