import type { Rng } from '@mosaik/wire/runtime';

/** The draws that a scenario is made of. */
export class Random {
  readonly #rng: Rng;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** Whole number, both bounds inclusive. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.#rng.float() * (max - min + 1));
  }

  between(min: number, max: number): number {
    return min + this.#rng.float() * (max - min);
  }

  chance(probability: number): boolean {
    return this.#rng.float() < probability;
  }

  /** Exponentially distributed, at most ten times the mean. */
  waitMs(meanMs: number): number {
    return Math.min(10, -Math.log(1 - this.#rng.float())) * meanMs;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#rng.float() * items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** One of the keys, each as likely as its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.#rng.float() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return this.pick(entries)[0];
  }

  shuffled<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i -= 1) {
      const j = this.integer(0, i);
      const [a, b] = [out[i], out[j]];
      if (a !== undefined && b !== undefined) [out[i], out[j]] = [b, a];
    }
    return out;
  }

  bytes(length: number): Uint8Array {
    return this.#rng.bytes(length);
  }

  u64(): bigint {
    return this.#rng.u64();
  }
}
