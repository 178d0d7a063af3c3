import type { TLSSocket } from 'node:tls';
import { CloseCode, type PeerId } from '@mosaik/wire';
import type { Clock, Timer } from '@mosaik/wire/runtime';
import { TransportError } from '../errors.ts';
import type { CloseReason, Connection, Link, LinkOptions } from '../ports.ts';
import { assertCloseCode, closedError, cutReason } from '../shared/close.ts';
import { assertExporterArguments } from '../shared/exporter-arguments.ts';
import { ItemQueue } from '../shared/item-queue.ts';
import type { EndpointLimits } from '../shared/options.ts';
import { utf8 } from '../shared/utf8.ts';
import { returnBatch, takeBatch } from './batch-pool.ts';
import type { LinkCore } from './core/link-core.ts';
import { MAX_PEER_LINKS } from './core/link-table.ts';
import { Mux, type MuxEffect } from './core/mux.ts';
import { TlsLink } from './link.ts';

/** Batches up to this are copied, and their buffer is free at once. */
const SMALL_BATCH_BYTES = 4096;
/** How long the peer may take to end its side of a stream that is over. */
const GOODBYE_MS = 1000;

export interface TlsConnectionInit {
  /** Its handshake is done. */
  socket: TLSSocket;
  initiator: boolean;
  alpn: string;
  /** Proven by TLS; undefined for a peer that is told why it is refused, and nothing else. */
  remoteId: PeerId | undefined;
  remoteAddress: string;
  limits: EndpointLimits;
  clock: Clock;
  /** The peer accepted our certificate. */
  onWelcome: () => void;
  /** The socket is gone. */
  onGone: () => void;
}

/** One TLS connection: the socket, the timers and the promises around a `Mux`. */
export class TlsConnection implements Connection {
  readonly alpn: string;
  readonly initiator: boolean;
  readonly remoteAddress: string;
  readonly closed: Promise<CloseReason>;

  readonly #socket: TLSSocket;
  readonly #remoteId: PeerId | undefined;
  readonly #clock: Clock;
  readonly #maxFrameBytes: number;
  readonly #onWelcome: () => void;
  readonly #mux: Mux;
  readonly #links = new Map<LinkCore, TlsLink>();
  readonly #waiting = new ItemQueue<TlsLink>(MAX_PEER_LINKS);
  #writing = false;
  #scheduled = false;
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #error: TransportError | undefined;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(init: TlsConnectionInit) {
    const { socket, limits } = init;
    this.#socket = socket;
    this.alpn = init.alpn;
    this.initiator = init.initiator;
    this.remoteAddress = init.remoteAddress;
    this.#remoteId = init.remoteId;
    this.#clock = init.clock;
    this.#maxFrameBytes = limits.maxFrameBytes;
    this.#onWelcome = init.onWelcome;
    this.#mux = new Mux({
      initiator: init.initiator,
      idleTimeoutMs: limits.idleTimeoutMs,
      keepAliveMs: limits.keepAliveMs,
      nowMs: init.clock.nowMs(),
      utf8,
    });
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    socket.setNoDelay(true);
    socket.on('data', ({ buffer, byteOffset, byteLength }) => {
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      this.#drive(() => this.#mux.handleBytes(bytes, this.#clock.nowMs()));
      this.#schedule();
    });
    socket.on('end', () => this.#handleStreamEnd('the stream ended without a reason'));
    socket.on('error', (error) => this.#handleStreamEnd(`the stream failed: ${error.message}`));
    socket.on('close', () => {
      this.#handleStreamEnd('the stream ended without a reason');
      this.#timer?.cancel();
      init.onGone();
    });
    this.#drive(() => {});
    this.#schedule();
  }

  get remoteId(): PeerId {
    if (this.#remoteId === undefined) throw new Error('the peer of this connection is not known');
    return this.#remoteId;
  }

  get rttMs(): number | undefined {
    return this.#mux.rttMs;
  }

  exportKeyingMaterial(label: string, context: Uint8Array, length: number): Uint8Array {
    assertExporterArguments(label, context, length);
    try {
      return Uint8Array.from(this.#socket.exportKeyingMaterial(length, label, Buffer.from(context)));
    } catch (cause) {
      throw new TransportError('closed', 'the connection has ended, and its secrets with it', { cause });
    }
  }

  async openLink(options: LinkOptions = {}): Promise<Link> {
    if (this.#error) throw this.#error;
    return this.#add(this.#mux.open(options.priority ?? 'normal'));
  }

  acceptLink(options?: { signal?: AbortSignal }): Promise<Link> {
    return this.#waiting.take(options);
  }

  async close(code: number, reason = ''): Promise<void> {
    assertCloseCode(code);
    if (!this.#mux.over) {
      const told = { code, reason: cutReason(reason), remote: false };
      this.#drive(() => this.#mux.close(told, this.#clock.nowMs()));
    }
    await this.closed;
  }

  // What links ask.

  handlePending(core: LinkCore): void {
    this.#mux.handlePending(core);
    this.#schedule();
  }

  handleRead(core: LinkCore): void {
    if (this.#mux.handleRead(core)) this.#schedule();
  }

  handleViolation(reason: string): void {
    void this.close(CloseCode.ProtocolViolation, reason);
  }

  /** After the loop's polling phase: everything that the application answers to what arrived leaves together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#runTurn);
  }

  readonly #runTurn = (): void => {
    this.#scheduled = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#writing || this.#socket.destroyed || !this.#socket.writable) return;
    const batch = takeBatch();
    let length = 0;
    this.#drive(() => {
      length = this.#mux.fill(batch, this.#clock.nowMs());
    });
    const small = length <= SMALL_BATCH_BYTES;
    const bytes = small ? batch.slice(0, length) : batch.subarray(0, length);
    if (small) returnBatch(batch);
    if (length === 0) return;
    this.#writing = true;
    this.#socket.write(bytes, (error) => {
      // The host may still hold what it could not write.
      if (!small && !error) returnBatch(batch);
      this.#writing = false;
      this.#flush();
    });
    if (this.#mux.finished) this.#socket.end();
  }

  /** Runs one step of the mux and does what it asks. An error of ours ends this connection, never the process. */
  #drive(step: () => void): void {
    try {
      step();
      for (const effect of this.#mux.drain()) this.#execute(effect);
      this.#arm();
    } catch (error) {
      this.#timer?.cancel();
      this.#handleEnded(
        { code: CloseCode.UnexpectedClose, reason: `the connection failed: ${String(error)}`, remote: false },
        true,
      );
    }
  }

  #execute(effect: MuxEffect): void {
    switch (effect.type) {
      case 'welcome':
        this.#onWelcome();
        break;
      case 'opened':
        if (!this.#error) this.#waiting.push(this.#add(effect.link));
        break;
      case 'readable':
        this.#links.get(effect.link)?.handleReadable();
        this.#maybeForget(effect.link);
        break;
      case 'taken':
        this.#links.get(effect.link)?.handleTaken();
        this.#maybeForget(effect.link);
        break;
      case 'closing':
        this.#fail(closedError(effect.reason));
        this.#schedule();
        break;
      case 'ended':
        this.#handleEnded(effect.reason, effect.destroy);
    }
  }

  #add(core: LinkCore): TlsLink {
    const link = new TlsLink(this, core, this.#maxFrameBytes);
    this.#links.set(core, link);
    return link;
  }

  #maybeForget(core: LinkCore): void {
    if (core.done) this.#links.delete(core);
  }

  #handleStreamEnd(reason: string): void {
    this.#drive(() => this.#mux.handleStreamEnd(reason));
    this.#socket.destroy();
  }

  #handleEnded(reason: CloseReason, destroy: boolean): void {
    this.#fail(closedError(reason));
    this.#resolveClosed(reason);
    if (destroy) {
      this.#socket.destroy();
      return;
    }
    // The peer waits for this: what it still sends until then is not lost on the way to us.
    this.#socket.end();
    const goodbye = this.#clock.schedule(GOODBYE_MS, () => this.#socket.destroy());
    this.#socket.once('close', () => goodbye.cancel());
  }

  #fail(error: TransportError): void {
    if (this.#error) return;
    this.#error = error;
    for (const link of this.#links.values()) link.fail(error);
    this.#waiting.end(error);
  }

  #arm(): void {
    const dueMs = this.#mux.nextDeadlineMs() ?? Number.POSITIVE_INFINITY;
    // A timer that fires early finds nothing to do: only an earlier one is set anew.
    if (dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.schedule(dueMs - this.#clock.nowMs(), () => {
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      this.#timer = undefined;
      this.#drive(() => this.#mux.handleTimer(this.#clock.nowMs()));
      this.#flush();
    });
  }
}
