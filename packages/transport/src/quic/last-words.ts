import type { NativeConnection } from './native.ts';

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
  /** The datagrams that said so. */
  #said: Buffer[] = [];
  #repeats = 0;
  #everyMs: number | undefined;

  /** `sendNext` sends the library's next datagram, false when there is none, and keeps a copy of it in its argument. */
  say(native: NativeConnection, close: Close, sendNext: (copies?: Buffer[]) => boolean): void {
    try {
      // What is not out before the close never leaves.
      while (sendNext());
      native.close(close.app, close.code, Buffer.from(close.reason));
      while (sendNext(this.#said));
    } catch {
      // Closed already: by the peer, or over an error.
    }
  }

  repeat(sendAgain: (datagram: Buffer) => void): void {
    if (this.#repeats >= MAX_REPEATS) return;
    this.#repeats += 1;
    for (const datagram of this.#said) sendAgain(datagram);
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
