import { CloseCode, type PeerId } from '@mosaik/wire';
import type { Timer } from '@mosaik/wire/runtime';
import { blake3 } from '@noble/hashes/blake3.js';
import { TransportError } from '../errors.ts';
import type { CloseReason, Connection, Link, LinkOptions, LinkPriority } from '../ports.ts';
import { assertCloseCode, closedError, cutReason } from '../shared/close.ts';
import { assertExporterArguments } from '../shared/exporter-arguments.ts';
import { ItemQueue } from '../shared/item-queue.ts';
import type { MemoryEndpoint } from './endpoint.ts';
import { MemoryLink } from './link.ts';
import type { MemoryNetwork } from './network.ts';
import { Pipe } from './pipe.ts';

/** Links that the peer opened and nobody took yet. */
const MAX_WAITING_LINKS = 256;

export interface MemoryConnectionInit {
  endpoint: MemoryEndpoint;
  remoteAddress: string;
  alpn: string;
  initiator: boolean;
  secret: Uint8Array;
}

/** One end of a connection in memory. The two ends talk only through pipes. */
export class MemoryConnection implements Connection {
  readonly alpn: string;
  readonly initiator: boolean;
  readonly remoteAddress: string;
  readonly closed: Promise<CloseReason>;
  readonly network: MemoryNetwork;
  /** Handshake, credit and close messages to the other end. */
  readonly control: Pipe;
  peer: MemoryConnection | undefined;
  rttMs: number | undefined;

  readonly #endpoint: MemoryEndpoint;
  readonly #secret: Uint8Array;
  readonly #links = new Map<number, MemoryLink>();
  readonly #waiting = new ItemQueue<MemoryLink>(MAX_WAITING_LINKS);
  #nextLink: number;
  #remoteId: PeerId | undefined;
  #ended: CloseReason | undefined;
  #gone = false;
  #idleTimer: Timer | undefined;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(init: MemoryConnectionInit) {
    this.#endpoint = init.endpoint;
    this.network = init.endpoint.network;
    this.remoteAddress = init.remoteAddress;
    this.alpn = init.alpn;
    this.initiator = init.initiator;
    this.#secret = init.secret;
    this.#nextLink = init.initiator ? 0 : 1;
    this.control = this.#pipe();
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get remoteId(): PeerId {
    if (this.#remoteId === undefined) throw new Error('the peer of this connection is not known yet');
    return this.#remoteId;
  }

  get ended(): CloseReason | undefined {
    return this.#ended;
  }

  get endpoint(): MemoryEndpoint {
    return this.#endpoint;
  }

  /** Joins the two ends: from here on each knows who the other is. */
  static join(a: MemoryConnection, b: MemoryConnection): void {
    a.peer = b;
    b.peer = a;
    a.#remoteId = b.#endpoint.id;
    b.#remoteId = a.#endpoint.id;
  }

  exportKeyingMaterial(label: string, context: Uint8Array, length: number): Uint8Array {
    assertExporterArguments(label, context, length);
    const name = new TextEncoder().encode(label);
    const input = new Uint8Array(2 + name.length + context.length);
    input.set([name.length >>> 8, name.length]);
    input.set(name, 2);
    input.set(context, 2 + name.length);
    return blake3(input, { key: this.#secret, dkLen: length });
  }

  async openLink(options: LinkOptions = {}): Promise<Link> {
    if (this.#ended) throw closedError(this.#ended);
    const link = this.#createLink(this.#nextLink, options.priority);
    this.#nextLink += 2;
    return link;
  }

  acceptLink(options?: { signal?: AbortSignal }): Promise<Link> {
    return this.#waiting.take(options);
  }

  async close(code: number, reason = ''): Promise<void> {
    assertCloseCode(code);
    if (this.#ended) return;
    let lastDueMs = 0;
    for (const link of this.#links.values()) {
      link.release();
      lastDueMs = Math.max(lastDueMs, link.pipe.lastDueMs);
    }
    const told = { code, reason: cutReason(reason), remote: true };
    // Read at delivery: an end that is still joining may not have a peer yet.
    this.control.push(() => this.peer?.handleClose(told), lastDueMs);
    this.finish({ ...told, remote: false });
  }

  handleClose(reason: CloseReason): void {
    this.peer?.flushLinks();
    this.finish(reason);
  }

  handleFrame(id: number, frame: Uint8Array | undefined): void {
    if (this.#ended) return;
    let link = this.#links.get(id);
    if (!link) {
      link = this.#createLink(id);
      if (!this.#waiting.push(link)) {
        void this.close(CloseCode.ProtocolViolation, 'too many links that nobody accepted');
        return;
      }
    }
    link.handleFrame(frame);
  }

  sendCredit(id: number, bytes: number): void {
    if (this.#ended) return;
    this.control.push(() => this.peer?.handleCredit(id, bytes));
  }

  handleCredit(id: number, bytes: number): void {
    this.#links.get(id)?.handleCredit(bytes);
  }

  forget(id: number): void {
    this.#links.delete(id);
  }

  flushLinks(): void {
    for (const link of this.#links.values()) link.pipe.flush();
  }

  /** Ends this side with `reason`; the first call decides. */
  finish(reason: CloseReason): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#idleTimer?.cancel();
    const error = closedError(reason);
    for (const link of this.#links.values()) link.fail(error);
    this.#waiting.end(error);
    this.#endpoint.connections.delete(this);
    this.#resolveClosed(reason);
    this.peer?.refresh();
  }

  /** This side's process is gone: nothing leaves any more. */
  vanish(): void {
    this.#gone = true;
    this.control.clear();
    for (const link of this.#links.values()) link.pipe.clear();
    this.finish({ code: CloseCode.UnexpectedClose, reason: 'the endpoint crashed', remote: false });
  }

  /** The ways between the ends may have changed: resumes what waited, starts or stops the idle timeout. */
  refresh(): void {
    const { peer, network } = this;
    if (!network.isCut(this.#endpoint.address, this.remoteAddress) && !this.#gone) {
      this.control.resume();
      for (const link of this.#links.values()) link.pipe.resume();
    }
    if (this.#ended || !peer) return;
    const hears = !peer.#ended && !network.isCut(this.remoteAddress, this.#endpoint.address);
    if (hears) {
      this.#idleTimer?.cancel();
      this.#idleTimer = undefined;
    } else {
      const limitMs = Math.min(this.#endpoint.limits.idleTimeoutMs, peer.#endpoint.limits.idleTimeoutMs);
      this.#idleTimer ??= network.clock.schedule(limitMs, () => {
        this.finish({ code: CloseCode.Timeout, reason: `nothing heard for ${limitMs} ms`, remote: false });
      });
    }
  }

  /** Why a connection that never came up failed. */
  refusal(): TransportError {
    const ended = this.#ended ?? { code: CloseCode.UnexpectedClose, reason: '', remote: false };
    if (ended.code === CloseCode.Timeout && !ended.remote) return new TransportError('timeout', ended.reason);
    const text = `${this.remoteAddress} refused the connection with ${ended.code}: ${ended.reason}`;
    return new TransportError('refused', text, { closeCode: ended.code });
  }

  #createLink(id: number, priority: LinkPriority = 'normal'): MemoryLink {
    const { maxFrameBytes } = this.#endpoint.limits;
    const link = new MemoryLink(this, id, this.#pipe(), { maxFrameBytes, priority });
    this.#links.set(id, link);
    return link;
  }

  #pipe(): Pipe {
    return new Pipe(this.network, this.#endpoint.address, this.remoteAddress);
  }
}
