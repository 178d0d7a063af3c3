import { CommandError } from '../cli/command-error.ts';
import { describeError } from '../cli/describe-error.ts';

/** A step of the demo that did not come about. */
export class StepError extends CommandError {}

/** No step may take longer. */
export const STEP_TIMEOUT_MS = 60_000;
const POLL_MS = 25;
const NAME_WIDTH = 36;

/** Runs named steps and prints each with the time that it took. */
export class Steps {
  readonly #print: (line: string) => void;
  readonly #signal: AbortSignal;
  readonly #startedMs = performance.now();

  constructor(print: (line: string) => void, signal: AbortSignal) {
    this.#print = print;
    this.#signal = signal;
  }

  /** `run` resolves with a value and what to say of it. @throws StepError naming the step. */
  async run<T>(name: string, run: () => Promise<readonly [T, string]>): Promise<T> {
    const startedMs = performance.now();
    try {
      const [value, said] = await run();
      this.#print(line(name, startedMs, said));
      return value;
    } catch (error) {
      this.#signal.throwIfAborted();
      throw new StepError(`${name}: ${describeError(error)}`, { cause: error });
    }
  }

  /** A step that is done when `look` finds something; it returns or throws what is missing, and is asked again. */
  wait<T>(name: string, look: () => Promise<readonly [T, string]>): Promise<T> {
    return this.run(name, async () => {
      const deadlineMs = performance.now() + STEP_TIMEOUT_MS;
      for (;;) {
        try {
          return await look();
        } catch (error) {
          // Anything but "not yet" is a mistake of ours, and waiting would only hide it.
          if (!(error instanceof CommandError)) throw error;
          if (performance.now() > deadlineMs) {
            throw new CommandError(`not within ${STEP_TIMEOUT_MS / 1000} s; last: ${error.message}`);
          }
        }
        this.#signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    });
  }

  /** Prints the time of all steps together. */
  finish(said: string): void {
    this.#print(line('done', this.#startedMs, said));
  }
}

function line(name: string, startedMs: number, said: string): string {
  const ms = Math.round(performance.now() - startedMs);
  return `${name.padEnd(NAME_WIDTH)}${String(ms).padStart(7)} ms  ${said}`;
}
