import type { Clock } from '@mosaik/wire/runtime';
import { type SpareCores, spareCores } from './spare-cores.ts';

/** After the n-th miss in a row 2^n - 1 messages are not waited for, at most so many. */
const MAX_PASSED = 127;
/** On a clock that stands still the loop must sleep all the same. */
const MAX_LOOKS = 1000;

const MAX_WINDOW_MS = 10;

/** @throws RangeError that names the option. */
export function parseBusyPoll(windowMs = 0): number {
  if (windowMs >= 0 && windowMs <= MAX_WINDOW_MS) return windowMs;
  throw new RangeError(`busyPollMs: expected a number from 0 to ${MAX_WINDOW_MS}, got ${windowMs}`);
}

export interface BusyPollInit {
  clock: Clock;
  /** How long an answer is waited for; 0 is no time. */
  windowMs: number;
  /** Default: those of this host. */
  spareCores?: Pick<SpareCores, 'spare'>;
  /** Calls in the next turn of the loop. */
  again?: (look: () => void) => void;
}

/** What the answers of one peer were like, kept for it by a `BusyPoll`. */
export interface AnswerWatch {
  /** Misses in a row, as 2^n - 1. */
  misses: number;
  /** Messages that will not be waited for. */
  passed: number;
}

export function createAnswerWatch(): AnswerWatch {
  return { misses: 0, passed: 0 };
}

/**
 * Keeps the event loop from sleeping while an answer is about to come.
 *
 * A process that sleeps between a message and its answer pays for falling asleep, for being woken, and for code and
 * predictions that are cold afterwards: more than it pays for looking again and again for as long as an answer takes
 * between neighbours. Waiting for at most about what sleeping costs is never much worse than the better of the two
 * (Karlin, Li, Manasse, Owicki, "Empirical studies of competitive spinning", 1991), unless someone else waits for the
 * core: so only while there is one to spare. Peers that answer later are waited for more and more rarely. Everything
 * else of the loop goes on meanwhile.
 */
export class BusyPoll {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #spareCores: Pick<SpareCores, 'spare'>;
  readonly #again: (look: () => void) => void;
  readonly #awaited = new Set<AnswerWatch>();
  #polling = false;
  #untilMs = 0;
  #looks = 0;

  constructor(init: BusyPollInit) {
    this.#clock = init.clock;
    this.#windowMs = init.windowMs;
    this.#spareCores = init.spareCores ?? spareCores;
    this.#again = init.again ?? setImmediate;
  }

  /** Something left that its peer is likely to answer. */
  handleSent(watch: AnswerWatch): void {
    if (this.#windowMs === 0 || this.#awaited.has(watch)) return;
    if (watch.passed > 0) {
      watch.passed -= 1;
      return;
    }
    const nowMs = this.#clock.nowMs();
    if (!this.#spareCores.spare(nowMs)) return;
    this.#awaited.add(watch);
    this.#untilMs = nowMs + this.#windowMs;
    this.#looks = 0;
    if (this.#polling) return;
    this.#polling = true;
    this.#again(this.#look);
  }

  /** Something came from the peer. */
  handleArrived(watch: AnswerWatch): void {
    if (this.#awaited.delete(watch)) watch.misses >>= 1;
  }

  readonly #look = (): void => {
    this.#looks += 1;
    if (this.#awaited.size > 0 && this.#looks < MAX_LOOKS && this.#clock.nowMs() < this.#untilMs) {
      this.#again(this.#look);
      return;
    }
    for (const watch of this.#awaited) {
      watch.misses = Math.min(2 * watch.misses + 1, MAX_PASSED);
      watch.passed = watch.misses;
    }
    this.#awaited.clear();
    this.#polling = false;
  };
}
