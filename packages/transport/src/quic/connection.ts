import type { RemoteInfo } from 'node:dgram';
import { CloseCode, type PeerId } from '@mosaik/wire';
import { TransportError } from '../errors.ts';
import type { CloseReason, Connection, Link, LinkOptions } from '../ports.ts';
import { formatAddress, type HostPort, unmapped } from '../shared/address.ts';
import { createAnswerWatch } from '../shared/busy-poll.ts';
import { assertCloseCode, closedError, cutReason } from '../shared/close.ts';
import { assertExporterArguments } from '../shared/exporter-arguments.ts';
import { describeEnd } from './connection-failure.ts';
import type { QuicEndpoint } from './endpoint.ts';
import { exportFromSecret } from './exporter.ts';
import { identifyPeer } from './identify-peer.ts';
import type { Keylog } from './keylog.ts';
import { type Close, LastWords } from './last-words.ts';
import { Liveness } from './liveness.ts';
import type { NativeConnection } from './native.ts';
import { Streams } from './streams.ts';

/** The acceptor's only one-way stream: its first byte says that the dialler's certificate was accepted. */
const WELCOME_STREAM = 3;
/** Datagrams read at once in one turn of the loop; further ones are read together at its end. */
const EAGER_DATAGRAMS = 2;
/** Datagrams sent in one turn, so that one connection does not starve the others or its own acknowledgements. */
const MAX_SENT_PER_TURN = 128;
/** RFC 9000 §20.1. */
const CONNECTION_REFUSED = 2;

export interface QuicConnectionInit {
  endpoint: QuicEndpoint;
  native: NativeConnection;
  keylog: Keylog;
  remote: HostPort;
  local: HostPort;
  initiator: boolean;
  /** Destination ids that are routed here. */
  routes: string[];
  expect?: PeerId | undefined;
}

/** Our own close, under way since then. */
interface Closing {
  readonly reason: CloseReason;
  readonly sinceMs: number;
}

const SETTLED = Promise.resolve();

type Phase = 'handshake' | 'proven' | 'open' | 'closing' | 'closed';

/** One QUIC connection, driven by its endpoint: datagrams in, turns, timers. */
export class QuicConnection implements Connection {
  readonly initiator: boolean;
  readonly remoteAddress: string;
  readonly closed: Promise<CloseReason>;
  /** Destination ids that are routed here. */
  readonly routes: string[];
  /** Where datagrams go to. */
  readonly remote: HostPort;
  /** When the endpoint's timer must call `handleTimer`. */
  deadlineMs: number;
  /** Set by the endpoint while it is in the list of the coming turn. */
  scheduled = false;
  /** Of an inbound handshake: gives its place back. */
  leaveHalfOpen: (() => void) | undefined;

  readonly #endpoint: QuicEndpoint;
  readonly #keylog: Keylog;
  readonly #recvInfo: { from: HostPort; to: HostPort };
  readonly #remoteHost: string;
  readonly #expect: PeerId | undefined;
  readonly #streams: Streams;
  readonly #answers = createAnswerWatch();
  readonly #liveness: Liveness;
  readonly #lastWords = new LastWords();

  #native: NativeConnection | undefined;
  #phase: Phase = 'handshake';
  #remoteId: PeerId | undefined;
  #alpn = '';
  #exporterSecret: Uint8Array | undefined;
  /** Datagrams that arrived in this turn, and in the one before. */
  #burst = 0;
  #lastBurst = 0;
  /** The application is having its chance to answer a lone datagram. */
  #answering = false;
  #readsDue = false;
  #postponed = false;
  #heard = false;
  /** A datagram was an error of the peer's. */
  #failed = false;
  #closing: Closing | undefined;
  #ended: (CloseReason & { transportCode?: number }) | undefined;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(init: QuicConnectionInit) {
    this.#endpoint = init.endpoint;
    this.#native = init.native;
    this.#keylog = init.keylog;
    this.initiator = init.initiator;
    this.routes = init.routes;
    this.remote = init.remote;
    this.#remoteHost = unmapped(init.remote.host);
    this.remoteAddress = formatAddress(this.#remoteHost, init.remote.port);
    this.#recvInfo = { from: init.remote, to: init.local };
    this.#expect = init.expect;
    this.#streams = new Streams({
      native: init.native,
      initiator: init.initiator,
      maxFrameBytes: init.endpoint.limits.maxFrameBytes,
      onPending: () => {
        if (!this.#answering) init.endpoint.schedule(this);
      },
      onViolation: (reason) => void this.close(CloseCode.ProtocolViolation, reason),
    });
    this.#liveness = new Liveness(init.endpoint.limits, init.endpoint.clock.nowMs());
    this.deadlineMs = this.#liveness.handshakeDeadlineMs;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get remoteId(): PeerId {
    if (this.#remoteId === undefined) throw new Error('the peer of this connection is not known yet');
    return this.#remoteId;
  }

  get alpn(): string {
    return this.#alpn;
  }

  get rttMs(): number | undefined {
    const [path] = this.#native?.pathStats() ?? [];
    return path && this.#remoteId !== undefined ? path.rtt : undefined;
  }

  /** Why it is over, once it is; with QUIC's own code where that was the reason. */
  get ended(): (CloseReason & { transportCode?: number }) | undefined {
    return this.#ended;
  }

  /** Whether the handshake is still going on. */
  get halfOpen(): boolean {
    return this.#phase === 'handshake';
  }

  exportKeyingMaterial(label: string, context: Uint8Array, length: number): Uint8Array {
    assertExporterArguments(label, context, length);
    if (!this.#exporterSecret) throw new TransportError('closed', 'the connection has no exporter secret');
    return exportFromSecret(this.#exporterSecret, label, context, length);
  }

  async openLink(options: LinkOptions = {}): Promise<Link> {
    return this.#streams.open(options.priority ?? 'normal');
  }

  acceptLink(options?: { signal?: AbortSignal }): Promise<Link> {
    return this.#streams.accept(options);
  }

  async close(code: number, reason = ''): Promise<void> {
    assertCloseCode(code);
    if (!this.#over()) {
      const sinceMs = this.#endpoint.clock.nowMs();
      this.#closing = { reason: { code, reason: cutReason(reason), remote: false }, sinceMs };
      this.#phase = 'closing';
      this.#streams.fail(closedError(this.#closing.reason), { keepArrived: false });
      this.#endpoint.schedule(this);
    }
    await this.closed;
  }

  // What the endpoint drives.

  /** A datagram with one of our ids arrived. Its bytes are decrypted in place. */
  handleDatagram(datagram: Buffer, source: RemoteInfo): void {
    const native = this.#native;
    // Migration is off: a datagram from elsewhere would make the library answer there.
    if (!native || source.port !== this.remote.port || unmapped(source.address) !== this.#remoteHost) return;
    if (this.#phase === 'closed') {
      this.#repeatClose();
      return;
    }
    try {
      native.recv(datagram, this.#recvInfo);
    } catch {
      // The library has noted a connection error and tells the peer with the next flush.
      this.#failed = true;
    }
    this.#heard = true;
    this.#endpoint.busyPoll.handleArrived(this.#answers);
    if (this.#phase === 'handshake' && native.isEstablished()) this.#handleEstablished(native);
    this.#burst += 1;
    if (this.#burst > EAGER_DATAGRAMS) {
      this.#readsDue = true;
      this.#endpoint.schedule(this);
      return;
    }
    // A lone datagram, as in question and answer: the answer does not wait for the end of the turn.
    if (this.#burst === 1 && this.#lastBurst <= 1) {
      this.#answering = true;
      void SETTLED.then(this.#answerSoon);
    } else this.#endpoint.schedule(this);
    this.#streams.handleArrival();
    this.#read(native);
  }

  /** What was written leaves in one datagram if it fits; the turn sends what is left. */
  handleAnswer(): void {
    const native = this.#native;
    if (!native) return;
    this.#streams.write(native);
    if (this.#endpoint.sendNext(native, this)) this.#endpoint.busyPoll.handleSent(this.#answers);
  }

  /** One turn of the loop: what arrived is read, what was written leaves. */
  handleTurn(nowMs: number): void {
    const native = this.#native;
    if (!native) return;
    this.#lastBurst = this.#burst;
    this.#burst = 0;
    if (this.#heard) {
      this.#heard = false;
      this.#liveness.handleHeard(nowMs);
    }
    if (this.#readsDue) {
      this.#readsDue = false;
      this.#streams.handleArrival();
      this.#read(native);
      // Acknowledgements leave with what the application answers; once only, or a steady stream would wait for ever.
      if (!this.#postponed) {
        this.#postponed = true;
        this.#endpoint.schedule(this);
        return;
      }
    }
    this.#postponed = false;
    this.#flush(native, nowMs);
  }

  handleTimer(nowMs: number): void {
    const native = this.#native;
    if (!native) return;
    native.onTimeout();
    if (native.isClosed()) {
      this.#handleOver(native);
      this.#release();
      return;
    }
    if (this.#phase === 'closed') this.#repeatClose();
    if (this.#phase === 'handshake' || this.#phase === 'proven') {
      if (nowMs >= this.#liveness.handshakeDeadlineMs) {
        this.#finish({ code: CloseCode.Timeout, reason: 'the handshake took too long', remote: false });
        this.#sendClose(native, { app: this.#phase === 'proven', code: 0, reason: '' });
        this.#release();
        return;
      }
    } else if (this.#phase === 'open' && nowMs >= this.#liveness.keepAliveDueMs) {
      this.#liveness.handlePing(nowMs);
      native.sendAckEliciting();
    }
    this.#flush(native, nowMs);
  }

  /** Datagrams can leave again. */
  handleRebound(): void {
    if (this.#phase === 'open') this.#native?.sendAckEliciting();
    this.#endpoint.schedule(this);
  }

  /** Nothing more can be said on this connection. */
  handleFailure(reason: string): void {
    this.#finish({ code: CloseCode.UnexpectedClose, reason, remote: false });
    this.#release();
  }

  /** Nothing of the first datagrams made sense: forgets the connection without a word. */
  abandonIfSilent(): boolean {
    if (!this.#native || this.#failed || this.#native.stats().recv > 0) return false;
    this.#finish({ code: CloseCode.UnexpectedClose, reason: 'no valid packet arrived', remote: false });
    this.#release();
    return true;
  }

  /** Nobody will wait for this dial: ends it, without a word where the peer cannot know us yet. */
  abandon(reason: string): void {
    void this.close(CloseCode.Cancelled, reason);
    const native = this.#native;
    if (!native || native.isEstablished()) return;
    this.#finish({ code: CloseCode.Cancelled, reason, remote: false });
    this.#sendClose(native, { app: false, code: 0, reason: '' });
    this.#release();
  }

  /** Other handshakes need the place of this one: forgets it, whatever it waits for. */
  evict(): void {
    const native = this.#native;
    if (!native) return;
    this.#finish({ code: CloseCode.Cancelled, reason: 'other handshakes need its place', remote: false });
    this.#sendClose(native, { app: false, code: CONNECTION_REFUSED, reason: '' });
    this.#release();
  }

  /** The socket is about to close: says the last word once more. */
  repeatClose(): void {
    if (this.#native) this.#repeatClose();
    this.#release();
  }

  /** Runs after all that the application does at once with what arrived: promises settle before the next tick. */
  readonly #answerSoon = (): void => process.nextTick(this.#answer);

  readonly #answer = (): void => {
    this.#answering = false;
    if (this.#streams.pending) this.#endpoint.answerNow(this);
    this.#endpoint.schedule(this);
  };

  #over(): CloseReason | undefined {
    return this.#ended ?? this.#closing?.reason;
  }

  #read(native: NativeConnection): void {
    if (!this.#streams.soleReader && !native.isReadable()) return;
    if (this.#phase === 'proven') this.#readWelcome(native);
    this.#streams.read();
  }

  #handleEstablished(native: NativeConnection): void {
    const { remoteAddress } = this;
    const peer = identifyPeer(native, this.#keylog, { remoteAddress, expect: this.#expect });
    this.#phase = 'proven';
    this.#liveness.handlePeerIdleTimeout(native.stats().peerMaxIdleTimeout);
    if (!peer.ok) {
      this.#endpoint.handleRefused(this, peer.error);
      void this.close(peer.code, peer.reason);
      return;
    }
    this.#remoteId = peer.peerId;
    this.#exporterSecret = peer.exporterSecret;
    this.#alpn = peer.alpn;
    this.#endpoint.handleProven(this);
    if (this.initiator) return;
    native.streamSend(WELCOME_STREAM, Uint8Array.of(1), true);
    this.#phase = 'open';
    this.#endpoint.handleAccepted(this);
  }

  #readWelcome(native: NativeConnection): void {
    if (!native.streamReadable(WELCOME_STREAM)) return;
    try {
      native.streamRecv(WELCOME_STREAM, new Uint8Array(16));
    } catch {
      return;
    }
    this.#phase = 'open';
    this.#endpoint.handleWelcome(this);
  }

  #flush(native: NativeConnection, nowMs: number): void {
    const endpoint = this.#endpoint;
    const asks = this.#streams.pending;
    this.#streams.write(native);
    let left = MAX_SENT_PER_TURN;
    while (left > 0 && endpoint.sendNext(native, this)) left -= 1;
    if (left === 0) endpoint.schedule(this);
    if (asks) endpoint.busyPoll.handleSent(this.#answers);
    if (native.isDraining()) this.#handleDraining(native);
    else if (this.#closing) this.#maybeSendClose(native, this.#closing, nowMs);
    if (this.#native) this.#updateDeadline(native, nowMs);
  }

  /** The peer closed, or the library did over an error of the peer. */
  #handleDraining(native: NativeConnection): void {
    if (this.#ended) return;
    this.#read(native);
    this.#handleOver(native);
    // A stranger whose handshake failed is told once: what is remembered of it would be its to multiply.
    if (this.#strange) this.#release();
  }

  /** Inbound, and never proven to be anybody. */
  get #strange(): boolean {
    return !this.initiator && this.#remoteId === undefined;
  }

  /** Asks the library for the reason once: an empty text in its answer takes 128 bytes that the binding never frees. */
  #handleOver(native: NativeConnection): void {
    if (this.#ended) return;
    // Nobody hears why a stranger failed, and strangers come in any number.
    if (this.#strange)
      this.#finish({ code: CloseCode.UnexpectedClose, reason: 'the handshake failed', remote: false });
    else this.#finish(describeEnd(native));
  }

  /** Closes once everything written was sent and acknowledged, or the time for that is over. */
  #maybeSendClose(native: NativeConnection, closing: Closing, nowMs: number): void {
    const unheard = this.#streams.pending || this.#liveness.inFlight(native.timeout(), nowMs);
    if (unheard && nowMs < this.#liveness.lingerUntilMs(closing.sinceMs)) return;
    const { code, reason } = closing.reason;
    this.#sendClose(native, { app: true, code, reason });
    this.#finish(closing.reason);
  }

  #sendClose(native: NativeConnection, close: Close): void {
    this.#lastWords.say(native, close, (copies) => this.#endpoint.sendNext(native, this, copies));
  }

  /** The peer goes on, so the close was lost. */
  #repeatClose(): void {
    this.#lastWords.repeat((datagram) => this.#endpoint.sendAgain(datagram, this));
  }

  /** The first call decides the reason; a close of our own under way goes before all others. */
  #finish(end: CloseReason & { transportCode?: number }): void {
    if (this.#ended) return;
    this.#ended = this.#closing?.reason ?? end;
    this.#phase = 'closed';
    this.#keylog.dispose();
    this.#streams.fail(closedError(this.#ended), { keepArrived: this.#closing === undefined });
    const { code, reason, remote } = this.#ended;
    this.#endpoint.handleEnded(this, end);
    this.#resolveClosed({ code, reason, remote });
  }

  /** Lets go of the native connection, whose memory and descriptor only a collection frees. */
  #release(): void {
    if (!this.#native) return;
    this.#streams.release();
    this.#native = undefined;
    this.#lastWords.forget();
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#endpoint.forget(this);
  }

  #updateDeadline(native: NativeConnection, nowMs: number): void {
    const timeoutMs = native.timeout();
    if (timeoutMs === null && native.isClosed()) {
      this.#handleOver(native);
      this.#release();
      return;
    }
    // Whole milliseconds, rounded down: waking a moment early would be for nothing.
    let deadlineMs = timeoutMs === null ? Number.POSITIVE_INFINITY : nowMs + timeoutMs + 1;
    if (this.#phase === 'handshake' || this.#phase === 'proven')
      deadlineMs = Math.min(deadlineMs, this.#liveness.handshakeDeadlineMs);
    else if (this.#phase === 'open') deadlineMs = Math.min(deadlineMs, this.#liveness.keepAliveDueMs);
    else if (this.#phase === 'closed') deadlineMs = this.#lastWords.nextRepeatMs(deadlineMs, nowMs);
    else if (this.#closing)
      deadlineMs = Math.min(deadlineMs, this.#liveness.lingerUntilMs(this.#closing.sinceMs));
    this.deadlineMs = deadlineMs;
    this.#endpoint.handleDeadline(deadlineMs);
  }
}
