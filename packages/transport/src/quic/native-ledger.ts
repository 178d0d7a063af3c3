import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Ended connections whose memory the runtime has not collected, above which it is told to. */
const MAX_GARBAGE = 128;
const LEAST_CAPACITY = 256;

/**
 * Counts native connections until they are collected: each holds a file descriptor and some 40 KB that the garbage
 * collector does not see, so it would come too late by itself. Process-wide, as descriptors are.
 */
class NativeLedger {
  #allocated = 0;
  #live = 0;
  #collecting = false;
  #capacity: number | undefined;
  readonly #registry = new FinalizationRegistry<undefined>(() => {
    this.#allocated -= 1;
    this.#collecting = false;
  });

  /** Natives whose memory exists, ended ones included. */
  get allocated(): number {
    return this.#allocated;
  }

  /** Those of connections that have not ended. */
  get live(): number {
    return this.#live;
  }

  /** How many may exist at once: what descriptors the process may have decides. */
  get capacity(): number {
    this.#capacity ??= Math.max(LEAST_CAPACITY, Math.floor(descriptorLimit() / 2));
    return this.#capacity;
  }

  /** Whether one more connection may be created; tries to make room. */
  admits(): boolean {
    this.#maybeCollect();
    return this.#allocated < this.capacity;
  }

  add(native: object): void {
    this.#allocated += 1;
    this.#live += 1;
    this.#registry.register(native, undefined);
  }

  /** The connection ended: nothing of ours refers to its native any more. */
  release(): void {
    this.#live -= 1;
  }

  #maybeCollect(): void {
    // Finalizers run in a later task: until one did, collecting again would find nothing new.
    if (this.#collecting || this.#allocated - this.#live <= MAX_GARBAGE) return;
    this.#collecting = true;
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    setImmediate(() => {
      this.#collecting = false;
    });
  }
}

export const nativeLedger = new NativeLedger();

/** The soft limit of open files, or a common one where it cannot be read. */
function descriptorLimit(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]) || 1024;
  } catch {
    return 1024;
  }
}
