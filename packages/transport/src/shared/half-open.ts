/** Unfinished inbound handshakes from one address, and in all. */
const MAX_PER_ADDRESS = 128;
const MAX_IN_ALL = 1024;

interface Handshake {
  readonly host: string;
  readonly drop: () => void;
}

/**
 * The handshakes that strangers have not finished. One too many costs the oldest its place, first of the same address:
 * an honest handshake takes milliseconds, so those that wait longest are the ones to lose.
 */
export class HalfOpen {
  readonly #all = new Set<Handshake>();
  readonly #byHost = new Map<string, Set<Handshake>>();
  readonly #maxInAll: number;

  constructor(maxInAll = MAX_IN_ALL) {
    this.#maxInAll = Math.min(maxInAll, MAX_IN_ALL);
  }

  get size(): number {
    return this.#all.size;
  }

  /** Counts one from `host`, until the function that it gives is called. `drop` ends it when its place is taken. */
  enter(host: string, drop: () => void): () => void {
    const sameHost = this.#byHost.get(host);
    if (sameHost && sameHost.size >= MAX_PER_ADDRESS) this.#evictOldest(sameHost);
    else if (this.#all.size >= this.#maxInAll) this.#evictOldest(this.#all);
    const handshake = { host, drop };
    this.#all.add(handshake);
    const others = this.#byHost.get(host);
    if (others) others.add(handshake);
    else this.#byHost.set(host, new Set([handshake]));
    return () => this.#leave(handshake);
  }

  #evictOldest(handshakes: Set<Handshake>): void {
    for (const oldest of handshakes) {
      this.#leave(oldest);
      oldest.drop();
      return;
    }
  }

  #leave(handshake: Handshake): void {
    this.#all.delete(handshake);
    const sameHost = this.#byHost.get(handshake.host);
    sameHost?.delete(handshake);
    if (sameHost?.size === 0) this.#byHost.delete(handshake.host);
  }
}
