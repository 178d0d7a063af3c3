/** Ranges below `low` that are kept: enough to tell what was given up from what was applied, where little was given up. */
const MAX_SETTLED_RANGES = 16;

/** Which sequences of one session were applied. */
export class AppliedSet {
  /** Nothing below is applied any more: its origin waits for none of it, whatever became of it. */
  #low: number;
  /** Applied: first, last, first, last …, ascending, with gaps between them; of what lies below `low` the newest. */
  readonly #ranges: number[];

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

  /** The origin waits for nothing below any more. */
  raiseTo(low: number): void {
    if (low <= this.#low) return;
    this.#low = low;
    if (this.#ranges.length > 2 * MAX_SETTLED_RANGES) this.#prune();
  }

  /** False when it is there already, or is not to be applied any more. */
  add(sequence: number): boolean {
    const ranges = this.#ranges;
    const end = ranges.length - 1;
    if (sequence < this.#low) return false;
    // In order and without gaps is what nearly always happens.
    if (end > 0 && ranges[end] === sequence - 1) {
      ranges[end] = sequence;
      return true;
    }
    const at = this.#firstAfter(sequence);
    if (at > 0 && sequence <= (ranges[at - 1] as number)) return false;
    const joinsBefore = at > 0 && ranges[at - 1] === sequence - 1;
    const joinsAfter = ranges[at] === sequence + 1;
    if (joinsBefore && joinsAfter) ranges.splice(at - 1, 2);
    else if (joinsBefore) ranges[at - 1] = sequence;
    else if (joinsAfter) ranges[at] = sequence;
    else ranges.splice(at, 0, sequence, sequence);
    return true;
  }

  /** Whether it was applied, or its origin gave it up. */
  has(sequence: number): boolean {
    return sequence < this.#low || this.wasApplied(sequence) === true;
  }

  /** Undefined where that is too long ago. */
  wasApplied(sequence: number): boolean | undefined {
    const ranges = this.#ranges;
    const at = this.#firstAfter(sequence);
    if (at > 0) return sequence <= (ranges[at - 1] as number);
    return sequence < this.#low && ranges.length >= 2 * MAX_SETTLED_RANGES ? undefined : false;
  }

  #prune(): void {
    let settled = 0;
    while ((this.#ranges[settled + 1] ?? this.#low) < this.#low) settled += 2;
    if (settled > 2 * MAX_SETTLED_RANGES) this.#ranges.splice(0, settled - 2 * MAX_SETTLED_RANGES);
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
}
