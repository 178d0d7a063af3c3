import { closeSync, openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** How long one look at the host counts. */
const LOOK_MS = 5;
/** The longest time between two looks at a host that has none to spare. */
const LAST_PAUSE_MS = 100;

/** Whether the host has a core for everything that wants to run, this process included: nobody waits while we poll. */
export class SpareCores {
  readonly #cores: number;
  readonly #running: () => number | undefined;
  #spare = false;
  #untilMs = Number.NEGATIVE_INFINITY;
  #pauseMs = LOOK_MS;

  /** `running`: how many threads of the host want to run now; undefined where that is not known. */
  constructor(cores = availableParallelism(), running = createRunningCount()) {
    this.#cores = cores;
    this.#running = running;
  }

  /**
   * Looks at the host at most once in 5 ms, and more rarely while it is busy. Single looks that find it busy cost next to
   * nothing: V8's own helper threads cause some.
   */
  spare(nowMs: number): boolean {
    if (nowMs < this.#untilMs) return this.#spare;
    const running = this.#running();
    this.#spare = running !== undefined && running <= this.#cores;
    this.#untilMs = nowMs + (this.#spare ? LOOK_MS : this.#pauseMs);
    this.#pauseMs = this.#spare
      ? Math.max(this.#pauseMs / 2, LOOK_MS)
      : Math.min(this.#pauseMs * 2, LAST_PAUSE_MS);
    return this.#spare;
  }
}

/** The fourth field of `/proc/loadavg` (Linux, proc(5)): threads that can run / threads. */
function createRunningCount(): () => number | undefined {
  let fd: number | undefined;
  let known = process.platform === 'linux';
  const text = Buffer.alloc(128);
  return () => {
    if (!known) return undefined;
    try {
      fd ??= openSync('/proc/loadavg', 'r');
      const length = readSync(fd, text, 0, text.length, 0);
      const match = /^\S+ \S+ \S+ (\d+)\//.exec(text.toString('latin1', 0, length));
      return match ? Number(match[1]) : undefined;
    } catch {
      known = false;
      if (fd !== undefined) closeSync(fd);
      return undefined;
    }
  };
}

/** Of this process. */
export const spareCores = new SpareCores();
