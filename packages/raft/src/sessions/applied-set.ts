/** Which sequences of one session were applied. */
export class AppliedSet {
  /** Everything below was applied, or its origin gave it up: either way it is never applied again. */
  #low: number;
  /** Applied above `low`: first, last, first, last …, ascending, with gaps between them. */
  #ranges: number[];

  constructor(low = 0, ranges: readonly number[] = []) {
    this.#low = low;
    this.#ranges = [...ranges];
  }

  get low(): number {
    return this.#low;
  }

  get ranges(): readonly number[] {
    return this.#ranges;
  }

  /** The origin has its answers to everything below. */
  raiseTo(low: number): void {
    if (low <= this.#low) return;
    this.#low = low;
    if (this.#ranges.length > 0) this.#absorb();
  }

  /** False when it is there already. */
  add(sequence: number): boolean {
    // In order and without gaps is what nearly always happens.
    if (sequence === this.#low && this.#ranges.length === 0) {
      this.#low = sequence + 1;
      return true;
    }
    if (this.has(sequence)) return false;
    const at = this.#firstAfter(sequence);
    const ranges = this.#ranges;
    const joinsBefore = at > 0 && ranges[at - 1] === sequence - 1;
    const joinsAfter = ranges[at] === sequence + 1;
    if (joinsBefore && joinsAfter) ranges.splice(at - 1, 2);
    else if (joinsBefore) ranges[at - 1] = sequence;
    else if (joinsAfter) ranges[at] = sequence;
    else ranges.splice(at, 0, sequence, sequence);
    if (ranges[0] === this.#low) this.#absorb();
    return true;
  }

  has(sequence: number): boolean {
    if (sequence < this.#low) return true;
    const at = this.#firstAfter(sequence);
    return at > 0 && sequence <= (this.#ranges[at - 1] as number);
  }

  /** Where in `ranges` the first one begins that begins after `sequence`. */
  #firstAfter(sequence: number): number {
    const ranges = this.#ranges;
    let low = 0;
    let high = ranges.length >> 1;
    // What arrives is mostly newer than everything before.
    if (high > 0 && (ranges[2 * high - 2] as number) <= sequence) return ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ranges[2 * middle] as number) <= sequence) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }

  /** Takes into `low` what begins at it or below. */
  #absorb(): void {
    let gone = 0;
    while (gone < this.#ranges.length && (this.#ranges[gone] as number) <= this.#low) {
      this.#low = Math.max(this.#low, (this.#ranges[gone + 1] as number) + 1);
      gone += 2;
    }
    if (gone > 0) this.#ranges.splice(0, gone);
  }
}
