import type { LinkPriority } from '../../ports.ts';
import { Inbox } from './inbox.ts';
import { Outbox } from './outbox.ts';
import { MAX_DATA_BYTES, RECORD_HEADER_BYTES, RecordType, writeRecordHeader } from './records.ts';

/** Bytes that either side may send on a new link before it heard anything about it. */
export const FIRST_WINDOW_BYTES = 128 * 1024;
/** What a link's window becomes at once when its connection can spare it, and then by doubling. */
const SECOND_WINDOW_BYTES = 1024 * 1024;
const MAX_WINDOW_BYTES = 4 * 1024 * 1024;
/** A frame's header is not divided over records: less credit than this is as good as none. */
const LEAST_CREDIT_BYTES = 4;

/** What a connection has left for windows beyond the first; links take from it and give back. */
export interface WindowBudget {
  bytes: number;
}

/** One link without its promises: frames out within the peer's credit, bytes in within our window. */
export class LinkCore {
  priority: LinkPriority;
  /** Given with the first record, so that ids appear in order. */
  id: number | undefined;
  readonly outbox = new Outbox();
  readonly inbox = new Inbox();
  finSent = false;
  finReceived = false;

  readonly #budget: WindowBudget;
  #finishing = false;
  #creditBytes = FIRST_WINDOW_BYTES;
  #windowBytes = FIRST_WINDOW_BYTES;
  #receivedBytes = 0;
  #readBytes = 0;
  #dropped = false;
  #allowedBytes = FIRST_WINDOW_BYTES;

  constructor(init: { id?: number; priority: LinkPriority; budget: WindowBudget }) {
    this.id = init.id;
    this.priority = init.priority;
    this.#budget = init.budget;
  }

  /** Both directions are over. */
  get done(): boolean {
    return this.finSent && this.finReceived;
  }

  get finishing(): boolean {
    return this.#finishing;
  }

  /** Whether there is a record to write now. */
  get sendable(): boolean {
    if (this.outbox.queuedBytes > 0) return this.#creditBytes >= LEAST_CREDIT_BYTES;
    return this.#finishing && !this.finSent;
  }

  /** Whether something is still to be sent, if not now. */
  get unsent(): boolean {
    return this.outbox.queuedBytes > 0 || (this.#finishing && !this.finSent);
  }

  finish(): void {
    this.#finishing = true;
  }

  // Out.

  /** Writes one record at `at`: data, or the end. Gives where it ended; `at` when it does not fit. */
  writeRecord(target: Uint8Array, at: number): number {
    const id = this.id ?? 0;
    const start = at + RECORD_HEADER_BYTES;
    if (this.outbox.queuedBytes === 0) {
      if (start > target.length) return at;
      writeRecordHeader(target, at, RecordType.fin, 0, id);
      this.finSent = true;
      return start;
    }
    const most = Math.min(start + MAX_DATA_BYTES, start + this.#creditBytes, target.length);
    if (most <= start) return at;
    const end = this.outbox.take(target, start, most);
    if (end === start) return at;
    this.#creditBytes -= end - start;
    writeRecordHeader(target, at, RecordType.data, end - start, id);
    return end;
  }

  /** The peer takes so many more. False when nobody needs as many. */
  addCredit(bytes: number): boolean {
    this.#creditBytes += bytes;
    return this.#creditBytes <= Number.MAX_SAFE_INTEGER;
  }

  // In.

  /** Whether the peer may send so many now. */
  admits(bytes: number): boolean {
    return this.#receivedBytes + bytes <= this.#allowedBytes;
  }

  /** Bytes of the peer's frames arrived: large pieces are kept as they are. */
  receive(bytes: Uint8Array): void {
    this.#receivedBytes += bytes.length;
    if (!this.#dropped) this.inbox.push(bytes);
  }

  /** Nobody will read any more: what arrives from here on is forgotten, and counts as read. */
  drop(): void {
    this.#dropped = true;
  }

  /** How much more the peer may be told to send, 0 when that is not worth a record. The peer is told. */
  takeGrant(): number {
    if (this.finReceived) return 0;
    const unread = this.#dropped ? 0 : this.inbox.unreadBytes;
    this.#readBytes = this.#receivedBytes - unread;
    this.#maybeGrow(unread);
    const grant = this.#readBytes + this.#windowBytes - this.#allowedBytes;
    if (grant * 2 < this.#windowBytes) return 0;
    this.#allowedBytes += grant;
    return grant;
  }

  /** The link is over: what its window took from the connection is free again. */
  releaseWindow(): void {
    this.#budget.bytes += this.#windowBytes - FIRST_WINDOW_BYTES;
    this.#windowBytes = FIRST_WINDOW_BYTES;
  }

  /** A reader that keeps up gets a larger window: what is under way may then be more. */
  #maybeGrow(unread: number): void {
    const first = this.#windowBytes === FIRST_WINDOW_BYTES;
    const used = this.#readBytes + this.#windowBytes - this.#allowedBytes;
    if (!first && (unread > 0 || used * 2 < this.#windowBytes || this.#windowBytes >= MAX_WINDOW_BYTES))
      return;
    const next = first ? SECOND_WINDOW_BYTES : 2 * this.#windowBytes;
    const more = next - this.#windowBytes;
    if (this.#budget.bytes < more) return;
    this.#budget.bytes -= more;
    this.#windowBytes = next;
  }
}
