import type { PeerId, SnapshotOffer } from '@mosaik/wire';

/** A member that is fetched from. */
export class Source {
  readonly id: PeerId;
  /** The leader has better things to do: it is asked last. */
  readonly leads: boolean;
  /** Committed entries after `base` up to `commit` are there; unknown until it says so. */
  base = 0;
  commit = 0;
  snapshot: SnapshotOffer | undefined;
  /** It answered what it has. */
  offered = false;
  /** Requests without an answer. */
  asked = 0;
  /** Told something untrue: it is not asked again. */
  lied = false;
  /** When it last gave something, or was asked while nothing was under way. */
  #aliveMs = 0;
  #restsUntilMs = 0;

  constructor(id: PeerId, leads: boolean) {
    this.id = id;
    this.leads = leads;
  }

  usable(nowMs: number): boolean {
    return this.offered && !this.lied && nowMs >= this.#restsUntilMs;
  }

  handleAsked(nowMs: number): void {
    if (this.asked === 0) this.#aliveMs = nowMs;
    this.asked += 1;
  }

  handleAlive(nowMs: number): void {
    this.#aliveMs = nowMs;
  }

  /** When it has stalled, unless something comes before. */
  stallsAtMs(stallMs: number): number {
    return this.asked === 0 ? Number.POSITIVE_INFINITY : this.#aliveMs + stallMs;
  }

  /** It stalled: others are asked for a while. */
  rest(untilMs: number): void {
    this.#restsUntilMs = untilMs;
  }

  get restsUntilMs(): number {
    return this.#restsUntilMs;
  }
}
