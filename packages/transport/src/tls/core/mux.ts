import { CloseCode } from '@mosaik/wire';
import type { CloseReason, LinkPriority } from '../../ports.ts';
import type { Utf8 } from '../../shared/utf8.ts';
import {
  CONTROL_ROOM_BYTES,
  parseClose,
  parseHello,
  writeClose,
  writeHello,
  writeNumber,
} from './control-records.ts';
import type { LinkCore } from './link-core.ts';
import { LinkTable } from './link-table.ts';
import { Pulse, type PulseInit } from './pulse.ts';
import { RecordReader } from './record-reader.ts';
import { RecordType, readU32 } from './records.ts';

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

export interface MuxInit extends PulseInit {
  initiator: boolean;
  utf8: Utf8;
}

/**
 * Many links over one ordered stream of bytes, and how that stream ends. Bytes of the peer go in by `handleBytes`;
 * `fill` writes what goes out. What it holds is bounded: unread bytes by the windows that it granted, control records
 * by being made only when they leave.
 */
export class Mux {
  readonly #utf8: Utf8;
  readonly #links: LinkTable;
  readonly #pulse: Pulse;
  /** Links whose reader moved on. */
  readonly #granting = new Set<LinkCore>();
  readonly #readable = new Set<LinkCore>();
  readonly #reader = new RecordReader();
  #effects: MuxEffect[] = [];

  #helloDue = true;
  #welcomed = false;
  #pongDue: number | undefined;

  #closing: { reason: CloseReason; sinceMs: number } | undefined;
  #closeSentMs: number | undefined;
  /** What was written was given up then, so that the close alone waits for the stream. */
  #gaveUpMs: number | undefined;
  #ended = false;

  constructor(init: MuxInit) {
    this.#utf8 = init.utf8;
    this.#links = new LinkTable(init.initiator);
    this.#pulse = new Pulse(init);
  }

  /** Smoothed, of pings. */
  get rttMs(): number | undefined {
    return this.#pulse.rttMs;
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
    return this.#links.create(priority);
  }

  /** The link has something new to send: frames, or its end. */
  handlePending(link: LinkCore): void {
    if (!this.#ended) this.#links.handlePending(link);
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
    this.#pulse.handleHeard(nowMs);
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
      if (this.#closeSentMs !== undefined || this.#gaveUpMs !== undefined) {
        this.#end(this.#closing.reason, { destroy: true });
      } else {
        this.#gaveUpMs = nowMs;
        this.#links.clear();
      }
      return;
    }
    if (nowMs >= this.#pulse.idleAtMs) {
      const reason = 'nothing heard for the idle timeout';
      this.#end({ code: CloseCode.Timeout, reason, remote: false }, { destroy: true });
    } else this.#pulse.handleTimer(nowMs);
  }

  /** When `handleTimer` must be called. */
  nextDeadlineMs(): number | undefined {
    if (this.#ended) return undefined;
    if (this.#closing) return this.#lingerUntilMs(this.#closing);
    return this.#pulse.nextDeadlineMs;
  }

  /** Writes what is to leave now, urgent links first. Gives its length, 0 when there is nothing or no room. */
  fill(target: Uint8Array, nowMs: number): number {
    if (this.#ended || this.#closeSentMs !== undefined) return 0;
    let at = this.#fillControl(target, nowMs);
    at = this.#fillGrants(target, at);
    this.#links.begin();
    at = this.#links.fill(target, at, this.#handleTaken);
    if (this.#closing && !this.#links.unsent && target.length - at >= CONTROL_ROOM_BYTES)
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
        this.#pulse.handlePong(readU32(payload, 0), nowMs);
        return undefined;
      default:
        this.#handleClose(payload);
        return undefined;
    }
  }

  #handleHello(payload: Uint8Array): string | undefined {
    if (this.#welcomed) return 'a second hello';
    const idleTimeoutMs = parseHello(payload);
    if (typeof idleTimeoutMs === 'string') return idleTimeoutMs;
    this.#welcomed = true;
    this.#pulse.handlePeerIdleTimeout(idleTimeoutMs);
    this.#effects.push({ type: 'welcome' });
    return undefined;
  }

  #handleData(id: number, payload: Uint8Array | undefined): string | undefined {
    let link = this.#links.get(id);
    if (!link) {
      const begun = this.#links.accept(id);
      if (typeof begun === 'string') return begun;
      link = begun;
      if (this.#closing) link.drop();
      this.#effects.push({ type: 'opened', link });
    }
    if (link.finReceived) return `data for link ${id} after its end`;
    if (payload === undefined) {
      link.finReceived = true;
      this.#links.maybeForget(link);
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
    if (!link) return this.#links.hasBegun(id) ? undefined : `credit for link ${id}, which has not begun`;
    if (bytes === 0 || !link.addCredit(bytes)) return `a credit of ${bytes} bytes for link ${id}`;
    this.handlePending(link);
    return undefined;
  }

  #handleClose(payload: Uint8Array): void {
    const { code, text } = parseClose(payload);
    const reason = this.#utf8.decode(text);
    // A code that no side can say is none.
    const told = Number.isSafeInteger(code) ? code : CloseCode.UnexpectedClose;
    this.#end(this.#closing?.reason ?? { code: told, reason, remote: true }, { destroy: false });
  }

  /** The peer broke the protocol: nothing that it sends counts any more. */
  #violate(reason: string, nowMs: number): void {
    this.close({ code: CloseCode.ProtocolViolation, reason, remote: false }, nowMs);
    // What was not sent is lost.
    this.#links.clear();
  }

  #end(reason: CloseReason, options: { destroy: boolean }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#settleReadable();
    this.#links.clear();
    this.#granting.clear();
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
      at = writeHello(target, at, this.#pulse.idleTimeoutMs);
    }
    if (this.#pongDue !== undefined) {
      at = writeNumber(target, at, RecordType.pong, this.#pongDue);
      this.#pongDue = undefined;
    }
    const ping = this.#pulse.takePing(nowMs);
    if (ping !== undefined) at = writeNumber(target, at, RecordType.ping, ping);
    return at;
  }

  #fillGrants(target: Uint8Array, from: number): number {
    let at = from;
    for (const link of this.#granting) {
      if (target.length - at < CONTROL_ROOM_BYTES) break;
      this.#granting.delete(link);
      const bytes = link.takeGrant();
      if (bytes > 0) at = writeNumber(target, at, RecordType.credit, bytes, link.id);
    }
    return at;
  }

  readonly #handleTaken = (link: LinkCore): void => {
    this.#effects.push({ type: 'taken', link });
  };

  #fillClose({ code, reason }: CloseReason, target: Uint8Array, at: number, nowMs: number): number {
    this.#closeSentMs = nowMs;
    return writeClose(target, at, code, this.#utf8.encode(reason));
  }

  #lingerUntilMs({ sinceMs }: { sinceMs: number }): number {
    return this.#pulse.lingerUntilMs(sinceMs, this.#closeSentMs ?? this.#gaveUpMs);
  }
}
