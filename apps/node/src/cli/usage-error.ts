/** What the operator gave is wrong: printed as one line that names the flag and the value; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /** `source` is where the value came from, as `--listen`, `MOSAIK_LISTEN` or `listen in node.json`. */
  static for(source: string, value: string, problem: string, options?: ErrorOptions): UsageError {
    return new UsageError(`${source} ${JSON.stringify(value.slice(0, 200))}: ${problem}`, options);
  }
}
