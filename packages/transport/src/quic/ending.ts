import type { CloseReason } from '../ports.ts';
import { cutReason } from '../shared/close.ts';
import type { End } from './connection-failure.ts';
import type { Liveness } from './liveness.ts';

/** The one end of a connection: of all the reasons that there may be, the first counts. */
export class Ending {
  readonly closed: Promise<CloseReason>;
  readonly #liveness: Liveness;
  /** Our own close, under way since then. */
  #closing: { readonly reason: CloseReason; readonly sinceMs: number } | undefined;
  #ended: End | undefined;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(liveness: Liveness) {
    this.#liveness = liveness;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Our own close under way, or done. */
  get closing(): CloseReason | undefined {
    return this.#closing?.reason;
  }

  /** Until when our own close waits for the peer to have what was written. */
  get lingerUntilMs(): number {
    return this.#closing ? this.#liveness.lingerUntilMs(this.#closing.sinceMs) : Number.POSITIVE_INFINITY;
  }

  /** Our own close begins. Undefined when there is an end already, or one under way. */
  begin(code: number, reason: string, nowMs: number): CloseReason | undefined {
    if (this.#ended || this.#closing) return undefined;
    this.#closing = { reason: { code, reason: cutReason(reason), remote: false }, sinceMs: nowMs };
    return this.#closing.reason;
  }

  /** It is over: gives the reason that counts, which is that of our own close under way before all others. */
  finish(end: End): CloseReason | undefined {
    if (this.#ended) return undefined;
    this.#ended = this.#closing?.reason ?? end;
    return this.#ended;
  }

  /** Tells who waits for it. */
  settle(): void {
    if (!this.#ended) return;
    const { code, reason, remote } = this.#ended;
    this.#resolveClosed({ code, reason, remote });
  }
}
