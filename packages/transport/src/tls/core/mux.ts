import { CloseCode } from '@mosaik/wire';
import type { CloseReason, LinkPriority } from '../../ports.ts';
import type { Utf8 } from '../../shared/utf8.ts';
import { LinkCore, type WindowBudget } from './link-core.ts';
import { RecordReader } from './record-reader.ts';
import {
  MAX_CONTROL_BYTES,
  PROTOCOL_VERSION,
  RECORD_HEADER_BYTES,
  RecordType,
  readU32,
  writeRecordHeader,
  writeU32,
} from './records.ts';

/** Links that one side may have begun and that are not over. */
export const MAX_PEER_LINKS = 256;
/** Unread bytes of a connection beyond the first window of each of its links. */
const WINDOW_BUDGET_BYTES = 32 * 1024 * 1024;
/** Room that any record but data fits into. */
const CONTROL_ROOM_BYTES = RECORD_HEADER_BYTES + MAX_CONTROL_BYTES;
/** Link ids have 32 bits. */
const LAST_LINK_ID = 0xffff_fff0;
/** How long a close waits for the peer to take what was written: since it was last heard, and in all. */
const LINGER_MS = 1000;
const MAX_LINGER_MS = 5000;

export type MuxEffect =
  /** The peer is ready: it has accepted our certificate. */
  | { type: 'welcome' }
  /** The peer began a link. */
  | { type: 'opened'; link: LinkCore }
  /** A link has bytes, or its end. */
  | { type: 'readable'; link: LinkCore }
  /** Frames of a link, or its end, were taken. */
  | { type: 'taken'; link: LinkCore }
  /** A close is under way: nothing can be written or read any more. */
  | { type: 'closing'; reason: CloseReason }
  /** It is over. `destroy`: there is no more to be said to the peer, nor to be heard. */
  | { type: 'ended'; reason: CloseReason; destroy: boolean };

export interface MuxInit {
  initiator: boolean;
  idleTimeoutMs: number;
  keepAliveMs: number;
  nowMs: number;
  utf8: Utf8;
}

/**
 * Many links over one ordered stream of bytes, and how that stream ends. Bytes of the peer go in by `handleBytes`;
 * `fill` writes what goes out. What it holds is bounded: unread bytes by the windows that it granted, control records
 * by being made only when they leave.
 */
export class Mux {
  readonly #initiator: boolean;
  readonly #utf8: Utf8;
  readonly #keepAliveMs: number;
  readonly #links = new Map<number, LinkCore>();
  readonly #sendable: Record<LinkPriority, Set<LinkCore>> = { high: new Set(), normal: new Set() };
  /** Own links with frames, that the peer has no room for yet. */
  readonly #unbegun = new Set<LinkCore>();
  /** Links whose reader moved on. */
  readonly #granting = new Set<LinkCore>();
  readonly #readable = new Set<LinkCore>();
  readonly #reader = new RecordReader();
  readonly #budget: WindowBudget = { bytes: WINDOW_BUDGET_BYTES };
  #effects: MuxEffect[] = [];

  #nextOwn: number;
  #nextPeer: number;
  #ownOpen = 0;
  #peerOpen = 0;

  #idleTimeoutMs: number;
  #helloDue = true;
  #welcomed = false;
  #lastHeardMs: number;
  #lastPingMs: number;
  #pingDue = true;
  #pingNumber = 0;
  #pongDue: number | undefined;
  #rttMs: number | undefined;

  #closing: { reason: CloseReason; sinceMs: number } | undefined;
  #closeSentMs: number | undefined;
  #ended = false;

  constructor(init: MuxInit) {
    this.#initiator = init.initiator;
    this.#utf8 = init.utf8;
    this.#idleTimeoutMs = init.idleTimeoutMs;
    this.#keepAliveMs = init.keepAliveMs;
    this.#lastHeardMs = init.nowMs;
    this.#lastPingMs = init.nowMs;
    this.#nextOwn = init.initiator ? 0 : 1;
    this.#nextPeer = init.initiator ? 1 : 0;
  }

  /** Smoothed, of pings. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Whether a close of our own, or the end, was decided: nothing can be written any more. */
  get over(): boolean {
    return this.#ended || this.#closing !== undefined;
  }

  /** Whether our own last word was written. */
  get finished(): boolean {
    return this.#closeSentMs !== undefined;
  }

  // What links ask.

  open(priority: LinkPriority): LinkCore {
    return new LinkCore({ priority, budget: this.#budget });
  }

  /** The link has something new to send: frames, or its end. */
  handlePending(link: LinkCore): void {
    if (this.#ended || !link.sendable) return;
    if (link.id === undefined) this.#unbegun.add(link);
    else this.#sendable[link.priority].add(link);
  }

  /** Frames of the link were read, or are waited for. True when the peer is to be told. */
  handleRead(link: LinkCore): boolean {
    if (this.#ended || link.finReceived || link.id === undefined) return false;
    this.#granting.add(link);
    return true;
  }

  /** Ends the connection once what was written has left. The first call decides. */
  close(reason: CloseReason, nowMs: number): void {
    if (this.over) return;
    this.#closing = { reason, sinceMs: nowMs };
    // Nobody reads any more. Room is granted all the same: two sides that close do not wait for each other.
    for (const link of this.#links.values()) {
      link.drop();
      this.#granting.add(link);
    }
    this.#effects.push({ type: 'closing', reason });
  }

  // What the stream drives.

  handleBytes(bytes: Uint8Array, nowMs: number): void {
    this.#lastHeardMs = nowMs;
    if (this.#ended) return;
    this.#reader.push(bytes);
    for (let record = this.#reader.next(); record && !this.#ended; record = this.#reader.next()) {
      const problem = record.problem ?? this.#handleRecord(record.type, record.link, record.payload, nowMs);
      if (problem === undefined) continue;
      this.#reader.stop();
      this.#violate(problem, nowMs);
      return;
    }
  }

  /** The stream ended, with an error or without. */
  handleStreamEnd(reason: string): void {
    const lost = { code: CloseCode.UnexpectedClose, reason, remote: false };
    this.#end(this.#closing?.reason ?? lost, { destroy: true });
  }

  handleTimer(nowMs: number): void {
    if (this.#ended) return;
    if (this.#closing) {
      if (nowMs < this.#lingerUntilMs(this.#closing)) return;
      if (this.#closeSentMs !== undefined) this.#end(this.#closing.reason, { destroy: true });
      else this.#dropPending();
      return;
    }
    if (nowMs >= this.#lastHeardMs + this.#idleTimeoutMs) {
      const reason = 'nothing heard for the idle timeout';
      this.#end({ code: CloseCode.Timeout, reason, remote: false }, { destroy: true });
    } else if (nowMs >= this.#keepAliveDueMs()) this.#pingDue = true;
  }

  /** When `handleTimer` must be called. */
  nextDeadlineMs(): number | undefined {
    if (this.#ended) return undefined;
    if (this.#closing) return this.#lingerUntilMs(this.#closing);
    const idleMs = this.#lastHeardMs + this.#idleTimeoutMs;
    return this.#pingDue ? idleMs : Math.min(idleMs, this.#keepAliveDueMs());
  }

  /** Writes what is to leave now, urgent links first. Gives its length, 0 when there is nothing or no room. */
  fill(target: Uint8Array, nowMs: number): number {
    if (this.#ended || this.#closeSentMs !== undefined) return 0;
    let at = this.#fillControl(target, nowMs);
    at = this.#fillGrants(target, at);
    this.#beginLinks();
    at = this.#fillLinks(this.#sendable.high, target, at);
    at = this.#fillLinks(this.#sendable.normal, target, at);
    if (this.#closing && !this.#unsent() && target.length - at >= CONTROL_ROOM_BYTES)
      at = this.#fillClose(this.#closing.reason, target, at, nowMs);
    return at;
  }

  drain(): readonly MuxEffect[] {
    this.#settleReadable();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  // In.

  /** What is wrong with the record, or undefined. */
  #handleRecord(type: number, id: number, payload: Uint8Array, nowMs: number): string | undefined {
    if (!this.#welcomed && type !== RecordType.hello && type !== RecordType.close)
      return 'the first record is not a hello';
    switch (type) {
      case RecordType.hello:
        return this.#handleHello(payload);
      case RecordType.data:
      case RecordType.fin:
        return this.#handleData(id, type === RecordType.fin ? undefined : payload);
      case RecordType.credit:
        return this.#handleCredit(id, readU32(payload, 0));
      case RecordType.ping:
        this.#pongDue = readU32(payload, 0);
        return undefined;
      case RecordType.pong:
        this.#handlePong(readU32(payload, 0), nowMs);
        return undefined;
      default:
        this.#handleClose(payload);
        return undefined;
    }
  }

  #handleHello(payload: Uint8Array): string | undefined {
    if (this.#welcomed) return 'a second hello';
    const idleTimeoutMs = readU32(payload, 1);
    if (payload[0] !== PROTOCOL_VERSION || idleTimeoutMs === 0)
      return `a hello of version ${payload[0]} with an idle timeout of ${idleTimeoutMs} ms`;
    this.#welcomed = true;
    this.#idleTimeoutMs = Math.min(this.#idleTimeoutMs, idleTimeoutMs);
    this.#effects.push({ type: 'welcome' });
    return undefined;
  }

  #handleData(id: number, payload: Uint8Array | undefined): string | undefined {
    let link = this.#links.get(id);
    if (!link) {
      if (id !== this.#nextPeer) return `data for link ${id}, which is over or not the next`;
      if (this.#peerOpen >= MAX_PEER_LINKS) return `more than ${MAX_PEER_LINKS} links`;
      this.#nextPeer += 2;
      this.#peerOpen += 1;
      link = new LinkCore({ id, priority: 'normal', budget: this.#budget });
      if (this.#closing) link.drop();
      this.#links.set(id, link);
      this.#effects.push({ type: 'opened', link });
    }
    if (link.finReceived) return `data for link ${id} after its end`;
    if (payload === undefined) {
      link.finReceived = true;
      this.#maybeForget(link);
    } else {
      if (!link.admits(payload.length)) return `more data for link ${id} than its window`;
      link.receive(payload);
      this.#granting.add(link);
    }
    this.#readable.add(link);
    return undefined;
  }

  #handleCredit(id: number, bytes: number): string | undefined {
    const link = this.#links.get(id);
    if (!link) {
      const known = id % 2 === this.#nextOwn % 2 ? this.#nextOwn : this.#nextPeer;
      return id < known ? undefined : `credit for link ${id}, which has not begun`;
    }
    if (bytes === 0 || !link.addCredit(bytes)) return `a credit of ${bytes} bytes for link ${id}`;
    this.handlePending(link);
    return undefined;
  }

  #handlePong(number: number, nowMs: number): void {
    if (number !== this.#pingNumber) return;
    const sampleMs = nowMs - this.#lastPingMs;
    // RFC 9002 §5.3.
    this.#rttMs = this.#rttMs === undefined ? sampleMs : (7 * this.#rttMs + sampleMs) / 8;
    this.#pingNumber += 1;
  }

  #handleClose(payload: Uint8Array): void {
    const code = readU32(payload, 0) * 2 ** 32 + readU32(payload, 4);
    const reason = this.#utf8.decode(payload.subarray(8));
    // A code that no side can say is none.
    const told = Number.isSafeInteger(code) ? code : CloseCode.UnexpectedClose;
    this.#end(this.#closing?.reason ?? { code: told, reason, remote: true }, { destroy: false });
  }

  /** The peer broke the protocol: nothing that it sends counts any more. */
  #violate(reason: string, nowMs: number): void {
    this.close({ code: CloseCode.ProtocolViolation, reason, remote: false }, nowMs);
    this.#dropPending();
  }

  #end(reason: CloseReason, options: { destroy: boolean }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#settleReadable();
    this.#links.clear();
    this.#unbegun.clear();
    this.#granting.clear();
    for (const links of Object.values(this.#sendable)) links.clear();
    this.#effects.push({ type: 'ended', reason, ...options });
  }

  /** One effect for all that arrived on a link. */
  #settleReadable(): void {
    for (const link of this.#readable) this.#effects.push({ type: 'readable', link });
    this.#readable.clear();
  }

  // Out.

  #fillControl(target: Uint8Array, nowMs: number): number {
    let at = 0;
    if (this.#helloDue) {
      this.#helloDue = false;
      writeRecordHeader(target, at, RecordType.hello, 5);
      target[at + RECORD_HEADER_BYTES] = PROTOCOL_VERSION;
      writeU32(target, at + RECORD_HEADER_BYTES + 1, this.#idleTimeoutMs);
      at += RECORD_HEADER_BYTES + 5;
    }
    if (this.#pongDue !== undefined) {
      at = this.#fillU32(target, at, RecordType.pong, this.#pongDue);
      this.#pongDue = undefined;
    }
    if (this.#pingDue) {
      this.#pingDue = false;
      this.#lastPingMs = nowMs;
      at = this.#fillU32(target, at, RecordType.ping, this.#pingNumber);
    }
    return at;
  }

  #fillGrants(target: Uint8Array, from: number): number {
    let at = from;
    for (const link of this.#granting) {
      if (target.length - at < CONTROL_ROOM_BYTES) break;
      this.#granting.delete(link);
      const bytes = link.takeGrant();
      if (bytes > 0) at = this.#fillU32(target, at, RecordType.credit, bytes, link.id);
    }
    return at;
  }

  #fillLinks(links: Set<LinkCore>, target: Uint8Array, from: number): number {
    let at = from;
    // A link that goes back to the end of the line is met again: they take turns record by record.
    for (const link of links) {
      const end = link.sendable ? link.writeRecord(target, at) : at;
      if (end === at && link.sendable) break;
      at = end;
      links.delete(link);
      if (link.sendable) links.add(link);
      this.#effects.push({ type: 'taken', link });
      if (link.finSent) this.#maybeForget(link);
    }
    return at;
  }

  #fillClose({ code, reason }: CloseReason, target: Uint8Array, at: number, nowMs: number): number {
    const text = this.#utf8.encode(reason);
    const length = 8 + text.length;
    writeRecordHeader(target, at, RecordType.close, length);
    writeU32(target, at + RECORD_HEADER_BYTES, Math.floor(code / 2 ** 32));
    writeU32(target, at + RECORD_HEADER_BYTES + 4, code % 2 ** 32);
    target.set(text, at + RECORD_HEADER_BYTES + 8);
    this.#closeSentMs = nowMs;
    return at + RECORD_HEADER_BYTES + length;
  }

  #fillU32(target: Uint8Array, at: number, type: number, value: number, link = 0): number {
    writeRecordHeader(target, at, type, 4, link);
    writeU32(target, at + RECORD_HEADER_BYTES, value);
    return at + RECORD_HEADER_BYTES + 4;
  }

  /** Gives links that want to send their id when the peer has room for one more. */
  #beginLinks(): void {
    for (const link of this.#unbegun) {
      if (this.#ownOpen >= MAX_PEER_LINKS || this.#nextOwn > LAST_LINK_ID) return;
      this.#unbegun.delete(link);
      link.id = this.#nextOwn;
      this.#nextOwn += 2;
      this.#ownOpen += 1;
      this.#links.set(link.id, link);
      this.#sendable[link.priority].add(link);
    }
  }

  #maybeForget(link: LinkCore): void {
    if (!link.done || link.id === undefined || !this.#links.delete(link.id)) return;
    link.releaseWindow();
    if ((link.id % 2 === 0) === this.#initiator) this.#ownOpen -= 1;
    else this.#peerOpen -= 1;
  }

  #unsent(): boolean {
    if (this.#unbegun.size > 0) return true;
    for (const link of this.#links.values()) if (link.unsent) return true;
    return false;
  }

  /** What could not be sent in time is lost. */
  #dropPending(): void {
    this.#unbegun.clear();
    for (const links of Object.values(this.#sendable)) links.clear();
    this.#links.clear();
  }

  #lingerUntilMs({ sinceMs }: { sinceMs: number }): number {
    // The close itself gets its own time, since it left.
    if (this.#closeSentMs !== undefined) return this.#closeSentMs + LINGER_MS;
    return Math.min(Math.max(sinceMs, this.#lastHeardMs) + LINGER_MS, sinceMs + MAX_LINGER_MS);
  }

  #keepAliveDueMs(): number {
    return Math.max(this.#lastHeardMs, this.#lastPingMs) + this.#keepAliveMs;
  }
}
