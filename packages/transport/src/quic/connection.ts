import type { RemoteInfo } from 'node:dgram';
import { CloseCode, type PeerId } from '@mosaik/wire';
import { TransportError } from '../errors.ts';
import type { CloseReason, Connection, Link, LinkOptions } from '../ports.ts';
import { formatAddress, type HostPort, unmapped } from '../shared/address.ts';
import { assertCloseCode, closedError } from '../shared/close.ts';
import { assertExporterArguments } from '../shared/exporter-arguments.ts';
import { describeEnd, type End } from './connection-failure.ts';
import { Ending } from './ending.ts';
import type { QuicEndpoint } from './endpoint.ts';
import { exportFromSecret } from './exporter.ts';
import { identifyPeer, type ProvenPeer } from './identify-peer.ts';
import type { Keylog } from './keylog.ts';
import { LastWords } from './last-words.ts';
import { Liveness } from './liveness.ts';
import type { NativeConnection } from './native.ts';
import { Pump } from './pump.ts';
import type { Streams } from './streams.ts';
import { receiveWelcome, sendWelcome } from './welcome.ts';

/** RFC 9000 §20.1. */
const NO_ERROR = 0;
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

type Phase = 'handshake' | 'proven' | 'open' | 'closing' | 'closed';

/** One QUIC connection, driven by its endpoint: datagrams in, turns, timers. */
export class QuicConnection implements Connection {
  readonly initiator: boolean;
  readonly remoteAddress: string;
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
  readonly #pump: Pump;
  readonly #streams: Streams;
  readonly #liveness: Liveness;
  readonly #ending: Ending;
  readonly #lastWords: LastWords;

  #native: NativeConnection | undefined;
  #phase: Phase = 'handshake';
  #peer: ProvenPeer | undefined;
  #heard = false;
  /** A datagram was an error of the peer's. */
  #failed = false;

  constructor(init: QuicConnectionInit) {
    const { endpoint, native, initiator, remote } = init;
    this.#endpoint = endpoint;
    this.#native = native;
    this.#keylog = init.keylog;
    this.initiator = initiator;
    this.routes = init.routes;
    this.remote = remote;
    this.#remoteHost = unmapped(remote.host);
    this.remoteAddress = formatAddress(this.#remoteHost, remote.port);
    this.#recvInfo = { from: remote, to: init.local };
    this.#expect = init.expect;
    this.#pump = new Pump({
      connection: this,
      native,
      remote,
      turns: endpoint.turns,
      sender: endpoint.sender,
      busyPoll: endpoint.busyPoll,
      initiator,
      maxFrameBytes: endpoint.limits.maxFrameBytes,
      onReadable: () => this.#read(),
      onViolation: (reason) => void this.close(CloseCode.ProtocolViolation, reason),
    });
    this.#streams = this.#pump.streams;
    this.#liveness = new Liveness(endpoint.limits, endpoint.clock.nowMs());
    this.#ending = new Ending(this.#liveness);
    this.#lastWords = new LastWords(endpoint.sender, remote);
    this.deadlineMs = this.#liveness.handshakeDeadlineMs;
  }

  get remoteId(): PeerId {
    if (!this.#peer) throw new Error('the peer of this connection is not known yet');
    return this.#peer.peerId;
  }

  get alpn(): string {
    return this.#peer?.alpn ?? '';
  }

  get rttMs(): number | undefined {
    const [path] = this.#native?.pathStats() ?? [];
    return path && this.#peer ? path.rtt : undefined;
  }

  get closed(): Promise<CloseReason> {
    return this.#ending.closed;
  }

  /** Whether the handshake is still going on. */
  get halfOpen(): boolean {
    return this.#phase === 'handshake';
  }

  exportKeyingMaterial(label: string, context: Uint8Array, length: number): Uint8Array {
    assertExporterArguments(label, context, length);
    if (!this.#peer) throw new TransportError('closed', 'the connection has no exporter secret');
    return exportFromSecret(this.#peer.exporterSecret, label, context, length);
  }

  async openLink(options: LinkOptions = {}): Promise<Link> {
    return this.#streams.open(options.priority ?? 'normal');
  }

  acceptLink(options?: { signal?: AbortSignal }): Promise<Link> {
    return this.#streams.accept(options);
  }

  async close(code: number, reason = ''): Promise<void> {
    assertCloseCode(code);
    const closing = this.#ending.begin(code, reason, this.#endpoint.clock.nowMs());
    if (closing) {
      this.#phase = 'closing';
      this.#streams.fail(closedError(closing), { keepArrived: false });
      this.#endpoint.turns.schedule(this);
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
      // The peer goes on, so the close was lost.
      this.#lastWords.repeat();
      return;
    }
    try {
      native.recv(datagram, this.#recvInfo);
    } catch {
      // The library has noted a connection error and tells the peer with the next flush.
      this.#failed = true;
    }
    this.#heard = true;
    if (this.#phase === 'handshake' && native.isEstablished()) this.#handleEstablished(native);
    this.#pump.handleDatagram();
  }

  /** One turn of the loop: what arrived is read, what was written leaves. */
  handleTurn(nowMs: number): void {
    const native = this.#native;
    if (!native) return;
    if (this.#heard) {
      this.#heard = false;
      this.#liveness.handleHeard(nowMs);
    }
    if (this.#pump.handleTurn()) this.#flush(native, nowMs);
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
    if (this.#phase === 'closed') this.#lastWords.repeat();
    if (this.#phase === 'handshake' || this.#phase === 'proven') {
      if (nowMs >= this.#liveness.handshakeDeadlineMs) {
        this.#drop(native, { code: CloseCode.Timeout, reason: 'the handshake took too long' });
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
    this.#endpoint.turns.schedule(this);
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
    this.#drop(native, { code: CloseCode.Cancelled, reason });
  }

  /** Other handshakes need the place of this one: forgets it, whatever it waits for. */
  evict(): void {
    const native = this.#native;
    if (!native) return;
    const reason = 'other handshakes need its place';
    this.#drop(native, { code: CloseCode.Cancelled, reason }, CONNECTION_REFUSED);
  }

  /** The socket is about to close: says the last word once more. */
  repeatClose(): void {
    if (this.#native) this.#lastWords.repeat();
    this.#release();
  }

  #read(): void {
    const native = this.#native;
    if (!native) return;
    if (this.#phase === 'proven' && native.isReadable() && receiveWelcome(native)) {
      this.#phase = 'open';
      this.#endpoint.handleWelcome(this);
    }
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
    this.#peer = peer;
    this.#endpoint.handleProven(this);
    if (this.initiator) return;
    sendWelcome(native);
    this.#phase = 'open';
    this.#endpoint.handleAccepted(this);
  }

  #flush(native: NativeConnection, nowMs: number): void {
    this.#pump.flush(native);
    if (native.isDraining()) this.#handleDraining(native);
    else if (this.#ending.closing) this.#maybeSendClose(native, this.#ending.closing, nowMs);
    if (this.#native) this.#updateDeadline(native, nowMs);
  }

  /** The peer closed, or the library did over an error of the peer. */
  #handleDraining(native: NativeConnection): void {
    if (this.#ending.ended) return;
    this.#read();
    this.#handleOver(native);
    // A stranger whose handshake failed is told once: what is remembered of it would be its to multiply.
    if (this.#strange) this.#release();
  }

  /** Inbound, and never proven to be anybody. */
  get #strange(): boolean {
    return !this.initiator && !this.#peer;
  }

  /** Asks the library for the reason once: an empty text in its answer takes 128 bytes that the binding never frees. */
  #handleOver(native: NativeConnection): void {
    if (this.#ending.ended) return;
    // Nobody hears why a stranger failed, and strangers come in any number.
    if (this.#strange)
      this.#finish({ code: CloseCode.UnexpectedClose, reason: 'the handshake failed', remote: false });
    else this.#finish(describeEnd(native));
  }

  /** Closes once everything written was sent and acknowledged, or the time for that is over. */
  #maybeSendClose(native: NativeConnection, closing: CloseReason, nowMs: number): void {
    const unheard = this.#streams.pending || this.#liveness.inFlight(native.timeout(), nowMs);
    if (unheard && nowMs < this.#ending.lingerUntilMs) return;
    this.#lastWords.say(native, { app: true, code: closing.code, reason: closing.reason });
    this.#finish(closing);
  }

  /** Ends it now, telling the peer a code of QUIC, not of the application. */
  #drop(native: NativeConnection, end: Omit<CloseReason, 'remote'>, code = NO_ERROR): void {
    this.#finish({ ...end, remote: false });
    this.#lastWords.say(native, { app: false, code, reason: '' });
    this.#release();
  }

  #finish(end: End): void {
    const ended = this.#ending.finish(end);
    if (!ended) return;
    this.#phase = 'closed';
    this.#keylog.dispose();
    this.#streams.fail(closedError(ended), { keepArrived: this.#ending.closing === undefined });
    this.#endpoint.handleEnded(this, end);
    this.#ending.settle();
  }

  /** Lets go of the native connection, whose memory and descriptor only a collection frees. */
  #release(): void {
    if (!this.#native) return;
    this.#pump.release();
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
    else deadlineMs = Math.min(deadlineMs, this.#ending.lingerUntilMs);
    this.deadlineMs = deadlineMs;
    this.#endpoint.turns.handleDeadline(deadlineMs);
  }
}
