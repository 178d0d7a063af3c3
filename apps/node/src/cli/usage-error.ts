/** What the operator gave is wrong: printed as one line that names the flag and the value; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /** `source` is where the value came from, as `--listen`, `MOSAIK_LISTEN` or `listen in node.json`. */
  static for(source: string, value: string, problem: string, options?: ErrorOptions): UsageError {
    return new UsageError(`${source} ${quote(value)}: ${problem}`, options);
  }
}

/** A value as errors show it. */
export function quote(value: string): string {
  return JSON.stringify(value.slice(0, 200));
}
