/** How long a close waits for the peer to take what was written: since it was last heard, and in all. */
const LINGER_MS = 1000;
const MAX_LINGER_MS = 5000;

export interface PulseInit {
  idleTimeoutMs: number;
  keepAliveMs: number;
  nowMs: number;
}

/** Whether the peer is there: when it was heard, pings and what they measured, and what is due because of it. */
export class Pulse {
  readonly #keepAliveMs: number;
  #idleTimeoutMs: number;
  #lastHeardMs: number;
  #lastPingMs: number;
  #pingDue = true;
  #pingNumber = 0;
  #rttMs: number | undefined;

  constructor({ idleTimeoutMs, keepAliveMs, nowMs }: PulseInit) {
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#keepAliveMs = keepAliveMs;
    this.#lastHeardMs = nowMs;
    this.#lastPingMs = nowMs;
  }

  /** Smoothed, of pings. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  get idleTimeoutMs(): number {
    return this.#idleTimeoutMs;
  }

  /** When the peer counts as gone. */
  get idleAtMs(): number {
    return this.#lastHeardMs + this.#idleTimeoutMs;
  }

  /** When `handleTimer` has something to say. */
  get nextDeadlineMs(): number {
    return this.#pingDue ? this.idleAtMs : Math.min(this.idleAtMs, this.#keepAliveDueMs());
  }

  handleHeard(nowMs: number): void {
    this.#lastHeardMs = nowMs;
  }

  /** The smaller idle timeout counts. */
  handlePeerIdleTimeout(peerMs: number): void {
    this.#idleTimeoutMs = Math.min(this.#idleTimeoutMs, peerMs);
  }

  handleTimer(nowMs: number): void {
    if (nowMs >= this.#keepAliveDueMs()) this.#pingDue = true;
  }

  /** The number of the ping that is to leave now, once. */
  takePing(nowMs: number): number | undefined {
    if (!this.#pingDue) return undefined;
    this.#pingDue = false;
    this.#lastPingMs = nowMs;
    return this.#pingNumber;
  }

  handlePong(number: number, nowMs: number): void {
    if (number !== this.#pingNumber) return;
    const sampleMs = nowMs - this.#lastPingMs;
    // RFC 9002 §5.3.
    this.#rttMs = this.#rttMs === undefined ? sampleMs : (7 * this.#rttMs + sampleMs) / 8;
    this.#pingNumber += 1;
  }

  /** Until when a close waits that began at `sinceMs`; from `aloneMs` on, with nothing before it, it has its own time. */
  lingerUntilMs(sinceMs: number, aloneMs: number | undefined): number {
    if (aloneMs !== undefined) return aloneMs + LINGER_MS;
    return Math.min(Math.max(sinceMs, this.#lastHeardMs) + LINGER_MS, sinceMs + MAX_LINGER_MS);
  }

  #keepAliveDueMs(): number {
    return Math.max(this.#lastHeardMs, this.#lastPingMs) + this.#keepAliveMs;
  }
}
