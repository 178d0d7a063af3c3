import type { Clock, Timer } from '@mosaik/wire/runtime';

/** How long the machine may apply before messages, heartbeats and timers have their turn. */
const SLICE_MS = 10;

export interface ApplySlicesInit {
  readonly clock: Clock;
  /** Applies towards `to` until `isLate`, but at least something; gives how far it came. */
  readonly apply: (to: number, isLate: () => boolean) => number;
  /** After a slice; `later`: not within the call of `advanceTo`. */
  readonly handleApplied: (later: boolean) => void;
  readonly handleFailure: (error: unknown) => void;
}

/** Applies what is committed, in slices when there is much of it or the machine is slow. */
export class ApplySlices {
  readonly #init: ApplySlicesInit;
  #next: Timer | undefined;
  /** Everything up to here is to be applied. */
  target = 0;

  constructor(init: ApplySlicesInit) {
    this.#init = init;
  }

  /** Applies the first slice now, if none is due already. @throws what applying throws. */
  advanceTo(target: number): void {
    this.target = Math.max(this.target, target);
    if (!this.#next) this.#slice(false);
  }

  /** Entries above, applied or not, are gone. */
  rewindTo(target: number): void {
    this.target = Math.min(this.target, target);
  }

  /** The applied state was replaced by what was at `target`. */
  restart(target: number): void {
    this.target = target;
  }

  close(): void {
    this.#next?.cancel();
    this.#next = undefined;
    this.target = 0;
  }

  #slice(later: boolean): void {
    const { clock, apply, handleApplied, handleFailure } = this.#init;
    const untilMs = clock.nowMs() + SLICE_MS;
    const applied = apply(this.target, () => clock.nowMs() > untilMs);
    handleApplied(later);
    if (applied >= this.target) return;
    this.#next = clock.schedule(0, () => {
      this.#next = undefined;
      try {
        this.#slice(true);
      } catch (error) {
        handleFailure(error);
      }
    });
  }
}
