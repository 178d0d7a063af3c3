import type { RaftEpoch } from '@mosaik/wire';
import { RaftError } from './errors.ts';

/** One call of `execute…` or `feed…` that has no answer yet. */
export interface PendingCall<O> {
  id: number;
  readonly commands: Uint8Array[];
  /** What the caller gave, for the error that says it was not sent. */
  readonly given: readonly unknown[];
  /** Answered when the commands have their place, not when they are applied. */
  readonly feed: boolean;
  readonly deadlineMs: number;
  settled: boolean;
  from: number;
  to: number;
  epoch: RaftEpoch | undefined;
  readonly outputs: O[];
  resolve(call: PendingCall<O>): void;
  reject(error: unknown): void;
}

/** A first-in-first-out queue on one array: no allocation per element. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  last(): T | undefined {
    return this.#items.at(-1);
  }

  pop(): T | undefined {
    return this.size === 0 ? undefined : this.#items.pop();
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes everything, oldest first. */
  drain(): T[] {
    const items = this.#items.slice(this.#head) as T[];
    this.#items = [];
    this.#head = 0;
    return items;
  }
}

export function uncertain(why: string): RaftError {
  return new RaftError('unknown-outcome', `${why}: the command may still commit`);
}
