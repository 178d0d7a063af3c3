/** Events kept for the report of a failure. */
const KEPT_EVENTS = 120;

/** Everything that happened in a run, in order: a digest of all of it and the last events as text. */
export class Trace {
  #a = 0x9e3779b9;
  #b = 0x85ebca6b;
  #count = 0;
  readonly #kept: string[] = [];
  readonly #nowMs: () => number;
  /** The text with short names instead of ids. */
  readonly named: (text: string) => string;
  /** Called with each event as it happens, for `--verbose`. */
  listener: ((line: string) => void) | undefined;

  /** `named` turns ids into the short names that a reader can follow. */
  constructor(nowMs: () => number, named: (text: string) => string) {
    this.#nowMs = nowMs;
    this.named = named;
  }

  note(text: string): void {
    const line = `${(this.#nowMs() / 1000).toFixed(4)} ${this.named(text)}`;
    this.#mix(line);
    this.#count += 1;
    this.#kept.push(line);
    if (this.#kept.length > 2 * KEPT_EVENTS) this.#kept.splice(0, KEPT_EVENTS);
    this.listener?.(line);
  }

  /** Number of events so far. */
  get count(): number {
    return this.#count;
  }

  get recent(): readonly string[] {
    return this.#kept.slice(-KEPT_EVENTS);
  }

  /** Equal for runs in which the same happened at the same times. Not cryptographic. */
  get digest(): string {
    const hex = (half: number) => (half >>> 0).toString(16).padStart(8, '0');
    return `${hex(this.#a)}${hex(this.#b)}`;
  }

  #mix(line: string): void {
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < line.length; i += 1) {
      const code = line.charCodeAt(i);
      a = Math.imul(a ^ code, 2_654_435_761);
      b = Math.imul(b ^ code, 1_597_334_677);
    }
    this.#a = a ^ (b >>> 15);
    this.#b = b ^ (a >>> 13);
  }
}
