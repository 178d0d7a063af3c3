import type { EndpointLimits } from '../shared/options.ts';

/** How long a close waits for the peer to have what was written: since it was last heard, and in all. */
const LINGER_MS = 1000;
const MAX_LINGER_MS = 5000;
/** The smallest difference between a pending retransmission and the idle timeout. */
const IN_FLIGHT_MARGIN_MS = 20;

/** When a peer was last heard of, and what is due because of it. */
export class Liveness {
  /** When the handshake must be done. */
  readonly handshakeDeadlineMs: number;
  readonly #keepAliveMs: number;
  #idleTimeoutMs: number;
  #lastHeardMs: number;
  #lastPingMs = Number.NEGATIVE_INFINITY;

  constructor(limits: EndpointLimits, nowMs: number) {
    this.handshakeDeadlineMs = nowMs + limits.handshakeTimeoutMs;
    this.#keepAliveMs = limits.keepAliveMs;
    this.#idleTimeoutMs = limits.idleTimeoutMs;
    this.#lastHeardMs = nowMs;
  }

  get keepAliveDueMs(): number {
    return Math.max(this.#lastHeardMs, this.#lastPingMs) + this.#keepAliveMs;
  }

  handleHeard(nowMs: number): void {
    this.#lastHeardMs = nowMs;
  }

  handlePing(nowMs: number): void {
    this.#lastPingMs = nowMs;
  }

  /** The smaller idle timeout counts; the peer's is 0 when it has none (RFC 9000 §10.1). */
  handlePeerIdleTimeout(peerMs: number): void {
    if (peerMs > 0) this.#idleTimeoutMs = Math.min(this.#idleTimeoutMs, peerMs);
  }

  /**
   * Whether something sent waits for its acknowledgement, by the time until the library's timer: then it is the
   * retransmission's, which comes long before the idle timeout.
   */
  inFlight(timeoutMs: number | null, nowMs: number): boolean {
    if (timeoutMs === null) return false;
    return timeoutMs < this.#lastHeardMs + this.#idleTimeoutMs - nowMs - IN_FLIGHT_MARGIN_MS;
  }

  /** Until when a close that began at `sinceMs` waits. */
  lingerUntilMs(sinceMs: number): number {
    return Math.min(Math.max(sinceMs, this.#lastHeardMs) + LINGER_MS, sinceMs + MAX_LINGER_MS);
  }
}
