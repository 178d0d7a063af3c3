import { type Profiler, Session } from 'node:inspector';

/** Which code ran, by the engine's own block counters (precise coverage), on this thread. */
export class Coverage {
  readonly #session = new Session();
  readonly #isOurs: (url: string) => boolean;
  /** By function: its characters, 1 where they ran in a run that was accounted for. */
  readonly #seen = new Map<string, Uint8Array>();
  #seenBytes = 0;

  private constructor(isOurs: (url: string) => boolean) {
    this.#isOurs = isOurs;
  }

  /** `isOurs`: scripts that count. */
  static start(isOurs: (url: string) => boolean): Coverage {
    const coverage = new Coverage(isOurs);
    coverage.#session.connect();
    coverage.#session.post('Profiler.enable');
    coverage.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    return coverage;
  }

  /** Characters of code that ran. */
  get seenBytes(): number {
    return this.#seenBytes;
  }

  /** Whether `step` runs code that did not run before; `account`: from now on it did. Looking takes milliseconds. */
  isNew(step: () => void, { account }: { account: boolean }): boolean {
    this.#take();
    step();
    let isNew = false;
    for (const { url, functions } of this.#take()) {
      if (!this.#isOurs(url)) continue;
      for (const { ranges } of functions) {
        const ran = paint(ranges);
        if (ran && this.#compare(`${ranges[0]?.startOffset}`, ran, account)) isNew = true;
      }
    }
    return isNew;
  }

  stop(): void {
    this.#session.disconnect();
  }

  #compare(key: string, ran: Uint8Array, account: boolean): boolean {
    let seen = this.#seen.get(key);
    if (!seen) {
      seen = new Uint8Array(ran.length);
      if (account) this.#seen.set(key, seen);
    }
    let isNew = false;
    for (let i = 0; i < ran.length; i += 1) {
      if (ran[i] === 0 || seen[i] === 1) continue;
      isNew = true;
      if (!account) return true;
      seen[i] = 1;
      this.#seenBytes += 1;
    }
    return isNew;
  }

  /** What ran since the last time; the counters begin again. */
  #take(): readonly Profiler.ScriptCoverage[] {
    let result: readonly Profiler.ScriptCoverage[] = [];
    // Answered before `post` returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw error;
      result = taken.result;
    });
    return result;
  }
}

/** The characters of a function, 1 where they ran. Ranges are nested, outer ones first. Undefined when it did not run. */
function paint(ranges: readonly Profiler.CoverageRange[]): Uint8Array | undefined {
  const [whole] = ranges;
  if (!whole || whole.count === 0) return undefined;
  const ran = new Uint8Array(whole.endOffset - whole.startOffset);
  for (const { startOffset, endOffset, count } of ranges)
    ran.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
  return ran;
}
