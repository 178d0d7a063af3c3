import type { HostPort } from '../shared/address.ts';
import type { NativeConnection } from './native.ts';
import type { Sender } from './sender.ts';

/** How often the close is repeated, unasked or to a peer that goes on sending (RFC 9000 §10.2.1). */
const MAX_REPEATS = 16;
/** A close is not acknowledged: it is said again at so many parts of the time that its connection is remembered. */
const PARTS = 3;

export interface Close {
  /** Of the application; else of QUIC. */
  app: boolean;
  code: number;
  reason: string;
}

/** How a connection says that it is over, and says it again. */
export class LastWords {
  readonly #sender: Sender;
  readonly #remote: HostPort;
  /** The datagrams that said so. */
  #said: Buffer[] = [];
  #repeats = 0;
  #everyMs: number | undefined;

  constructor(sender: Sender, remote: HostPort) {
    this.#sender = sender;
    this.#remote = remote;
  }

  say(native: NativeConnection, close: Close): void {
    try {
      // What is not out before the close never leaves.
      while (this.#sender.sendNext(native, this.#remote));
      native.close(close.app, close.code, Buffer.from(close.reason));
      while (this.#sender.sendNext(native, this.#remote, this.#said));
    } catch {
      // Closed already: by the peer, or over an error.
    }
  }

  repeat(): void {
    if (this.#repeats >= MAX_REPEATS) return;
    this.#repeats += 1;
    for (const datagram of this.#said) this.#sender.sendAgain(datagram, this.#remote);
  }

  /** When to repeat it unasked, for a connection that is remembered until `endMs`. */
  nextRepeatMs(endMs: number, nowMs: number): number {
    if (this.#said.length === 0) return endMs;
    this.#everyMs ??= Math.max(1, (endMs - nowMs) / PARTS);
    return Math.min(endMs, nowMs + this.#everyMs);
  }

  /** Lets go of the copies. */
  forget(): void {
    this.#said = [];
  }
}
