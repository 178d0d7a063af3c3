/** Unfinished inbound handshakes from one address, and in all. */
const MAX_HALF_OPEN_PER_ADDRESS = 128;
const MAX_HALF_OPEN = 1024;

/** Counts the handshakes that strangers leave unfinished. */
export class HalfOpen {
  readonly #byAddress = new Map<string, number>();
  #total = 0;

  /** Counts one from `host`; undefined when there are too many. Otherwise what to call when it is over, either way. */
  enter(host: string): (() => void) | undefined {
    const fromAddress = this.#byAddress.get(host) ?? 0;
    if (this.#total >= MAX_HALF_OPEN || fromAddress >= MAX_HALF_OPEN_PER_ADDRESS) return undefined;
    this.#byAddress.set(host, fromAddress + 1);
    this.#total += 1;
    let left = false;
    return () => {
      if (!left) this.#leave(host);
      left = true;
    };
  }

  #leave(host: string): void {
    const fromAddress = (this.#byAddress.get(host) ?? 0) - 1;
    if (fromAddress > 0) this.#byAddress.set(host, fromAddress);
    else this.#byAddress.delete(host);
    this.#total -= 1;
  }
}
