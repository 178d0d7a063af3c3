/** What a leader knows of one bonded peer's log, and what it has on the way to it. */
export class Progress {
  readonly incarnation: bigint;
  /** Durable there and equal to the leader's log up to here. */
  match = 0;
  /** The next entry to send. */
  next: number;
  /** Looking for where the logs agree: one append at a time. */
  probing = true;
  /** While probing: an append is out and not answered. */
  awaiting = false;
  /** It answered in this epoch. */
  engaged = false;
  /** Highest read round that it confirmed. */
  round = 0;
  /** Read round last sent to it. */
  sentRound = 0;
  /** Commit index last sent to it. */
  sentCommit = 0;
  /** A witness: last told that every data voter holds the log up to here. */
  sentRetain = -1;
  /** Lost, or never had, what it acknowledged: counts for nothing, and is sent nothing but heartbeats. */
  forgot = false;
  lastAckMs: number;
  /** When its match last advanced, or the first of what is on the way was sent. */
  advancedMs = 0;
  /** It catches up by itself up to here, from other members too; 0 when it does not. */
  syncTo = 0;
  /** When it was last told how, and what it had then. */
  planMs = 0;
  planMatch = 0;
  inflightBytes = 0;
  /** End index and bytes of each append on the way, oldest first. */
  readonly #inflight: { to: number; bytes: number }[] = [];

  constructor(incarnation: bigint, next: number, nowMs: number) {
    this.incarnation = incarnation;
    this.next = next;
    this.lastAckMs = nowMs;
  }

  get inflightCount(): number {
    return this.#inflight.length;
  }

  /** It has, or will read on the bulk lane, all entries up to `index`. */
  isSent(index: number): boolean {
    return !this.probing && !this.forgot && this.syncTo === 0 && this.next > index;
  }

  handleSent(to: number, bytes: number, nowMs: number): void {
    if (this.probing) {
      this.awaiting = true;
      return;
    }
    if (this.#inflight.length === 0) this.advancedMs = nowMs;
    this.next = to + 1;
    this.#inflight.push({ to, bytes });
    this.inflightBytes += bytes;
  }

  handleAck(match: number, nowMs: number): void {
    this.engaged = true;
    if (match > this.match) {
      this.match = match;
      this.advancedMs = nowMs;
    }
    while (this.#inflight.length > 0 && (this.#inflight[0]?.to ?? 0) <= match) {
      this.inflightBytes -= this.#inflight.shift()?.bytes ?? 0;
    }
    if (this.match >= this.syncTo) this.syncTo = 0;
    if (this.probing) {
      // Of a heartbeat from before it was known where to look: that is not it.
      if (this.match >= this.next - 1) this.#resume();
    } else if (this.next <= this.match) this.next = this.match + 1;
  }

  /** It fetches the entries up to `to` by itself; those behind it are sent as they come. */
  handleSync(to: number): void {
    this.probeAfter(to);
    this.probing = false;
    this.syncTo = to;
  }

  /** Nothing that is on the way is counted on any more; the next append starts after `index`. */
  probeAfter(index: number): void {
    this.next = Math.max(this.match, index) + 1;
    this.probing = true;
    this.awaiting = false;
    this.syncTo = 0;
    this.#inflight.length = 0;
    this.inflightBytes = 0;
  }

  handleForgotten(): void {
    this.forgot = true;
    this.match = 0;
    this.round = 0;
    this.engaged = false;
    this.probing = false;
    this.#inflight.length = 0;
    this.inflightBytes = 0;
  }

  #resume(): void {
    this.probing = false;
    this.awaiting = false;
    this.next = this.match + 1;
  }
}
