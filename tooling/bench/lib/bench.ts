/** One measurement, one line of `--json`. A row without `peer` is ours; `ratio` is ours ÷ the peer's, of the same run. */
export interface Row {
  metric: string;
  value: number;
  unit: string;
  peer?: string | undefined;
  ratio?: number | undefined;
  peerValue?: number | undefined;
}

/** A child process of a benchmark and the messages to and from it. */
export interface Child {
  send(message: unknown): void;
  /** The next message; messages wait for their reader. */
  next<T>(): Promise<T>;
  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void;
  /** Ends the process. */
  stop(): Promise<void>;
}

/** The other end of a child's messages. */
export type Parent = Pick<Child, 'send' | 'next'>;

export interface BenchContext {
  report(row: Row): void;
  /** Starts one of the benchmark's roles as a process of its own. */
  start(role: string): Child;
}

/**
 * A file of `src/` exports one as `bench`. Each role runs in a child process and returns when it is told to stop.
 */
export interface Bench {
  readonly name: string;
  readonly roles: Readonly<Record<string, (parent: Parent) => Promise<void>>>;
  run(context: BenchContext): Promise<void>;
}

export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}
