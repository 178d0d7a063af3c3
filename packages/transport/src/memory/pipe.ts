import type { Timer } from '@mosaik/wire/runtime';
import type { MemoryNetwork } from './network.ts';

interface Entry {
  dueMs: number;
  readonly deliver: () => void;
}

/** Virtual times are sums of fractions: a delivery is due when it is this close. */
const EPSILON_MS = 1e-6;

/** One direction of one ordered stream: what is pushed arrives later, in order, and waits while the way is cut. */
export class Pipe {
  readonly #network: MemoryNetwork;
  readonly #from: string;
  readonly #to: string;
  readonly #entries: Entry[] = [];
  #timer: Timer | undefined;

  constructor(network: MemoryNetwork, from: string, to: string) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
  }

  /** When the last entry arrives if nothing is cut, or 0. */
  get lastDueMs(): number {
    return this.#entries.at(-1)?.dueMs ?? 0;
  }

  push(deliver: () => void, notBeforeMs = 0): void {
    const arrivesMs = this.#network.clock.nowMs() + this.#network.delayMs(this.#from, this.#to);
    this.#entries.push({ dueMs: Math.max(arrivesMs, this.lastDueMs, notBeforeMs), deliver });
    if (!this.#timer) this.#arm();
  }

  /** The way is open again: what waited travels now. */
  resume(): void {
    if (this.#timer || this.#entries.length === 0) return;
    let dueMs = this.#network.clock.nowMs() + this.#network.delayMs(this.#from, this.#to);
    for (const entry of this.#entries) {
      dueMs = Math.max(dueMs, entry.dueMs);
      entry.dueMs = dueMs;
    }
    this.#arm();
  }

  /** Delivers everything at once. */
  flush(): void {
    for (let entry = this.#entries.shift(); entry; entry = this.#entries.shift()) entry.deliver();
    this.clear();
  }

  /** Drops everything. */
  clear(): void {
    this.#entries.length = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const head = this.#entries[0];
    if (!head) return;
    const { clock } = this.#network;
    this.#timer = clock.schedule(Math.max(0, head.dueMs - clock.nowMs()), () => {
      this.#timer = undefined;
      const nowMs = clock.nowMs() + EPSILON_MS;
      while (this.#entries[0] && this.#entries[0].dueMs <= nowMs) {
        if (this.#network.isCut(this.#from, this.#to)) return;
        this.#entries.shift()?.deliver();
      }
      if (!this.#timer) this.#arm();
    });
  }
}
