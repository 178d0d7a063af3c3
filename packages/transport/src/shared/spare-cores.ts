import { closeSync, openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** How long one look at the host counts. */
const LOOK_MS = 5;
/** After a look that found none to spare the next one waits for this, then for twice as long, up to the last. */
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 1000;
/** So many looks in a row that found one make up for what was found before. */
const CALM_LOOKS = 20;

/** Whether the host has a core for everything that wants to run, this process included: nobody waits while we poll. */
export class SpareCores {
  readonly #cores: number;
  readonly #running: () => number | undefined;
  #spare = false;
  #untilMs = Number.NEGATIVE_INFINITY;
  #pauseMs = FIRST_PAUSE_MS;
  #calm = 0;

  /** `running`: how many threads of the host want to run now; undefined where that is not known. */
  constructor(cores = availableParallelism(), running = createRunningCount()) {
    this.#cores = cores;
    this.#running = running;
  }

  /** Looks at the host at most once in 5 ms, and ever more rarely while it is busy. */
  spare(nowMs: number): boolean {
    if (nowMs < this.#untilMs) return this.#spare;
    const running = this.#running();
    this.#spare = running !== undefined && running <= this.#cores;
    if (this.#spare) {
      this.#untilMs = nowMs + LOOK_MS;
      this.#calm += 1;
      if (this.#calm >= CALM_LOOKS) this.#pauseMs = FIRST_PAUSE_MS;
      return true;
    }
    this.#calm = 0;
    this.#untilMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LAST_PAUSE_MS);
    return false;
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
