import { randomBytes } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import { CloseCode, type PeerId } from '@mosaik/wire';
import {
  type Clock,
  type Logger,
  type Metrics,
  silentLogger,
  silentMetrics,
  systemClock,
  type Timer,
} from '@mosaik/wire/runtime';
import { TransportError } from '../errors.ts';
import type { CloseReason, Connection, ConnectOptions, Endpoint, ListenInit } from '../ports.ts';
import { type HostPort, isLoopback, parseAddress, unmapped } from '../shared/address.ts';
import { BusyPoll, parseBusyPoll } from '../shared/busy-poll.ts';
import { createCertificate } from '../shared/certificate.ts';
import { HalfOpen } from '../shared/half-open.ts';
import { ItemQueue } from '../shared/item-queue.ts';
import { localAddresses } from '../shared/local-addresses.ts';
import { assertAlpns, type EndpointLimits, parseLimits } from '../shared/options.ts';
import { Admission } from './admission.ts';
import { createConfig } from './config.ts';
import { QuicConnection } from './connection.ts';
import { dialError } from './connection-failure.ts';
import { DatagramSocket } from './datagram-socket.ts';
import { Keylog } from './keylog.ts';
import type { Native, NativeConfig, NativeConnection } from './native.ts';
import { nativeLedger } from './native-ledger.ts';
import {
  idKey,
  isLongHeader,
  type LongHeader,
  OWN_ID_BYTES,
  parseLongHeader,
  shortHeaderKey,
} from './packet-header.ts';
import { resolveAddress } from './resolve-address.ts';

/** Accepted connections that nobody took yet, per protocol. */
const MAX_WAITING_CONNECTIONS = 256;
/** RFC 9000 §14.1. */
const LEAST_INITIAL_BYTES = 1200;

interface Dial {
  readonly address: string;
  readonly alpn: string;
  resolve(connection: Connection): void;
  reject(error: unknown): void;
}

export interface QuicEndpointInit extends ListenInit {
  native: Native;
  /** Unfinished inbound handshakes from which on clients are sent a retry. */
  retryFromHalfOpen?: number | undefined;
  keylogDirectory?: string | undefined;
  /** How long a message's answer is waited for awake. */
  busyPollMs?: number | undefined;
}

/** One UDP socket that dials and accepts. */
export class QuicEndpoint implements Endpoint {
  readonly id: PeerId;
  readonly limits: EndpointLimits;
  readonly clock: Clock;
  readonly busyPoll: BusyPoll;
  readonly #native: Native;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #alpns: readonly string[];
  readonly #keyPem: Uint8Array;
  readonly #certificatePem: Uint8Array;
  readonly #advertise: readonly string[];
  readonly #host: string;
  readonly #keylogDirectory: string | undefined;
  readonly #admission: Admission;
  /** Strangers get a part of what connections the process can have. */
  readonly #halfOpen = new HalfOpen(Math.floor(nativeLedger.capacity / 4));
  readonly #configs = new Map<string, NativeConfig>();
  readonly #routes = new Map<string, QuicConnection>();
  readonly #connections = new Set<QuicConnection>();
  readonly #dials = new Map<QuicConnection, Dial>();
  readonly #inbound: ReadonlyMap<string, ItemQueue<Connection>>;
  #socket: DatagramSocket | undefined;
  #addresses: readonly string[] = [];
  #local: HostPort = { host: '127.0.0.1', port: 1 };
  #turn: QuicConnection[] = [];
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #closing: Promise<void> | undefined;

  constructor(init: QuicEndpointInit) {
    this.limits = parseLimits(init);
    this.id = init.secretKey.id;
    this.clock = init.clock ?? systemClock;
    this.busyPoll = new BusyPoll({ clock: this.clock, windowMs: parseBusyPoll(init.busyPollMs) });
    this.#native = init.native;
    this.#logger = init.logger ?? silentLogger;
    this.#metrics = init.metrics ?? silentMetrics;
    this.#alpns = [...init.alpns];
    this.#keyPem = Buffer.from(init.secretKey.exportPem());
    this.#certificatePem = Buffer.from(createCertificate(init.secretKey));
    this.#advertise = [...(init.advertise ?? [])];
    for (const address of this.#advertise) parseAddress(address);
    this.#host = init.host ?? '0.0.0.0';
    this.#keylogDirectory = init.keylogDirectory;
    this.#admission = new Admission(init.retryFromHalfOpen);
    this.#inbound = new Map(
      init.alpns.map((alpn) => [alpn, new ItemQueue<Connection>(MAX_WAITING_CONNECTIONS)]),
    );
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  async bind(port: number): Promise<void> {
    const socket = await DatagramSocket.bind({
      host: this.#host,
      port,
      clock: this.clock,
      logger: this.#logger,
      onDatagram: (datagram, source) => this.#handleDatagram(datagram, source),
      onRefused: (error, host, port) => this.#handleRefusedDatagram(error, host, port),
      onRebound: () => this.#handleRebound(),
    });
    this.#socket = socket;
    this.#local = { host: socket.family === 6 ? '::1' : '127.0.0.1', port: socket.port };
    this.#addresses = this.#advertise.length > 0 ? this.#advertise : localAddresses(this.#host, socket.port);
  }

  inbound(alpn: string): AsyncIterable<Connection> {
    const queue = this.#inbound.get(alpn);
    if (!queue) throw new TypeError(`this endpoint does not accept ${JSON.stringify(alpn)}`);
    return queue;
  }

  async connect(address: string, alpn: string, options: ConnectOptions = {}): Promise<Connection> {
    const { expect, signal } = options;
    const target = parseAddress(address);
    assertAlpns([alpn]);
    signal?.throwIfAborted();
    const remote = await resolveAddress(target, this.#socket?.family ?? 4);
    signal?.throwIfAborted();
    if (this.#closing) throw new TransportError('closed', 'the endpoint is closed');
    if (!this.#socket?.bound)
      throw new TransportError('unavailable', 'the host took the UDP socket away; it is being bound again');
    if (!nativeLedger.admits())
      throw new TransportError('overloaded', 'too many connections for the open files allowed');

    const config = this.#config(isLoopback(remote.host), alpn);
    const id = randomBytes(OWN_ID_BYTES);
    const native = this.#native.Connection.connect(null, id, this.#local, remote, config);
    return new Promise((resolve, reject) => {
      const connection = this.#track(native, { remote, initiator: true, routes: [idKey(id)], expect });
      const onAbort = () => {
        dial.reject(signal?.reason);
        connection.abandon('the dial was cancelled');
      };
      const settle = <V>(finish: (value: V) => void) => {
        return (value: V) => {
          this.#dials.delete(connection);
          signal?.removeEventListener('abort', onAbort);
          finish(value);
        };
      };
      const dial: Dial = { address, alpn, resolve: settle(resolve), reject: settle(reject) };
      this.#dials.set(connection, dial);
      signal?.addEventListener('abort', onAbort);
      this.schedule(connection);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // What connections ask of their endpoint.

  /** Gives the connection a turn at the end of this turn of the loop. */
  schedule(connection: QuicConnection): void {
    if (connection.scheduled) return;
    connection.scheduled = true;
    // After the loop's polling phase: everything that arrives, and what the application answers, is in.
    if (this.#turn.push(connection) === 1) setImmediate(this.#runTurn);
  }

  /** Sends what was just written; the turn that is scheduled does the rest. */
  answerNow(connection: QuicConnection): void {
    this.#drive(connection, () => connection.handleAnswer());
  }

  /** Sends the connection's next datagram. False when there is none now. */
  sendNext(native: NativeConnection, connection: QuicConnection, copies?: Buffer[]): boolean {
    const socket = this.#socket;
    if (!socket || socket.congested) return false;
    const sent = native.send(socket.buffer);
    if (!sent) return false;
    const [length] = sent;
    copies?.push(Buffer.from(socket.buffer.subarray(0, length)));
    const { host, port } = connection.remote;
    socket.send(length, host, port);
    return true;
  }

  sendAgain(datagram: Buffer, connection: QuicConnection): void {
    if (!this.#socket) return;
    datagram.copy(this.#socket.buffer);
    this.#socket.send(datagram.length, connection.remote.host, connection.remote.port);
  }

  /** A connection must hear of the time then. */
  handleDeadline(deadlineMs: number): void {
    if (deadlineMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = deadlineMs;
    // After the polling phase: a loop that stalled first reads what arrived meanwhile, then looks who is late.
    const delayMs = deadlineMs - this.clock.nowMs();
    this.#timer = this.clock.schedule(delayMs, () => setImmediate(this.#runTimers));
  }

  /** The handshake is done and the peer is who its certificate says. */
  handleProven(connection: QuicConnection): void {
    // The client's first id stays routed: a late copy of its first datagram would else begin another handshake.
    connection.leaveHalfOpen?.();
  }

  /** An inbound connection may be used. */
  handleAccepted(connection: QuicConnection): void {
    this.#metrics.count('mosaik.transport.connections', { direction: 'inbound' });
    if (this.#inbound.get(connection.alpn)?.push(connection)) return;
    void connection.close(CloseCode.Cancelled, 'too many connections wait to be accepted');
  }

  /** The peer accepted the connection that we dialled. */
  handleWelcome(connection: QuicConnection): void {
    this.#metrics.count('mosaik.transport.connections', { direction: 'outbound' });
    this.#dials.get(connection)?.resolve(connection);
  }

  /** We do not want this peer. An acceptor's application never hears of it. */
  handleRefused(connection: QuicConnection, error: TransportError): void {
    this.#logger.debug(
      { remoteAddress: connection.remoteAddress, error: error.message },
      'connection refused',
    );
    this.#dials.get(connection)?.reject(error);
  }

  handleEnded(connection: QuicConnection, end: CloseReason & { transportCode?: number }): void {
    const dial = this.#dials.get(connection);
    dial?.reject(dialError(dial.address, dial.alpn, end));
  }

  forget(connection: QuicConnection): void {
    if (!this.#connections.delete(connection)) return;
    for (const route of connection.routes) this.#routes.delete(route);
    // One that failed holds its memory while it drains: its place is free only now.
    connection.leaveHalfOpen?.();
    nativeLedger.release();
  }

  readonly #runTurn = (): void => {
    const turn = this.#turn;
    this.#turn = [];
    const nowMs = this.clock.nowMs();
    for (const connection of turn) {
      connection.scheduled = false;
      this.#drive(connection, () => connection.handleTurn(nowMs));
    }
  };

  readonly #runTimers = (): void => {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const nowMs = this.clock.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const connection of this.#connections) {
      if (connection.deadlineMs <= nowMs) this.#drive(connection, () => connection.handleTimer(nowMs));
      nextMs = Math.min(nextMs, connection.deadlineMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.handleDeadline(nextMs);
  };

  #handleDatagram(datagram: Buffer, source: RemoteInfo): void {
    if (!isLongHeader(datagram)) {
      const connection = this.#routes.get(shortHeaderKey(datagram));
      if (connection) this.#drive(connection, () => connection.handleDatagram(datagram, source));
      return;
    }
    const header = parseLongHeader(datagram);
    if (!header) return;
    const connection = this.#routes.get(idKey(header.dcid));
    if (connection) this.#drive(connection, () => connection.handleDatagram(datagram, source));
    else if (datagram.length >= LEAST_INITIAL_BYTES && !this.#closing)
      this.#handleUnknown(datagram, header, source);
  }

  /** Peers hear of the connections again at once, not only when something is found lost. */
  #handleRebound(): void {
    this.#metrics.count('mosaik.transport.rebinds');
    for (const connection of this.#connections) this.#drive(connection, () => connection.handleRebound());
  }

  /**
   * A dial ends at once. On a connection it is a loss like others, since networks come back; but what is too large stays
   * so, while small acknowledgements would keep the connection alive for nothing.
   */
  #handleRefusedDatagram(cause: NodeJS.ErrnoException, host: string, port: number): void {
    for (const connection of [...this.#connections]) {
      if (connection.remote.port !== port || connection.remote.host !== host) continue;
      const dial = connection.halfOpen && this.#dials.get(connection);
      if (dial) {
        dial.reject(
          new TransportError('unavailable', `cannot send to ${dial.address}: ${cause.message}`, { cause }),
        );
        connection.abandon('the network refused a datagram');
      } else if (cause.code === 'EMSGSIZE') {
        connection.handleFailure('the network refuses datagrams of this size: lower maxDatagramBytes');
      }
    }
  }

  /** A datagram for no connection: a new one, or noise. */
  #handleUnknown(datagram: Buffer, header: LongHeader, source: RemoteInfo): void {
    if (header.version !== this.#native.PROTOCOL_VERSION) {
      if (header.version !== 0) {
        this.#reply(source, (out) => this.#native.negotiateVersion(header.scid, header.dcid, out));
      }
      return;
    }
    if (header.type !== 'initial' || header.dcid.length < OWN_ID_BYTES) return;
    const host = unmapped(source.address);
    const remote = { host: source.address, port: source.port };
    const verdict = this.#admission.judge(header, remote, this.#halfOpen.size, this.clock.wallMs());
    if (verdict.type === 'retry') {
      const { id, token } = verdict;
      this.#reply(source, (out) =>
        this.#native.retry(header.scid, header.dcid, id, token, header.version, out),
      );
      return;
    }
    if (verdict.type === 'refuse' || !nativeLedger.admits()) {
      this.#metrics.count('mosaik.transport.handshakes_refused');
      return;
    }
    const { id, originalId, routes } = verdict;
    let connection: QuicConnection;
    try {
      const config = this.#config(isLoopback(host));
      const native = this.#native.Connection.accept(id, originalId, this.#local, remote, config);
      connection = this.#track(native, { remote, initiator: false, routes });
    } catch (error) {
      this.#logger.warn({ host, error: String(error) }, 'an inbound connection could not be set up');
      return;
    }
    connection.leaveHalfOpen = this.#halfOpen.enter(host, () => {
      this.#metrics.count('mosaik.transport.handshakes_refused');
      this.#drive(connection, () => connection.evict());
    });
    this.#drive(connection, () => {
      connection.handleDatagram(datagram, source);
      connection.abandonIfSilent();
    });
  }

  #track(
    native: NativeConnection,
    init: { remote: HostPort; initiator: boolean; routes: string[]; expect?: PeerId | undefined },
  ): QuicConnection {
    nativeLedger.add(native);
    let keylog: Keylog;
    try {
      keylog = new Keylog(native, this.#keylogDirectory);
    } catch (cause) {
      nativeLedger.release();
      throw new TransportError('unavailable', 'no file for the key log of a connection', { cause });
    }
    const connection = new QuicConnection({ ...init, endpoint: this, native, keylog, local: this.#local });
    this.#connections.add(connection);
    for (const route of init.routes) this.#routes.set(route, connection);
    return connection;
  }

  /** Whatever the library throws ends one connection, never the process. */
  #drive(connection: QuicConnection, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#logger.error(
        { remoteAddress: connection.remoteAddress, error: String(error) },
        'the QUIC library failed',
      );
      connection.handleFailure(`the QUIC library failed: ${String(error)}`);
    }
  }

  /** Sends what `write` puts into the buffer. */
  #reply(source: RemoteInfo, write: (out: Buffer) => number): void {
    const socket = this.#socket;
    if (!socket || socket.congested) return;
    try {
      socket.send(write(socket.buffer), source.address, source.port);
    } catch {
      // The datagram's ids were not what the library takes.
    }
  }

  #config(loopback: boolean, dialled?: string): NativeConfig {
    const key = `${loopback} ${dialled ?? ''}`;
    let config = this.#configs.get(key);
    if (!config) {
      config = createConfig(this.#native, {
        keyPem: this.#keyPem,
        certificatePem: this.#certificatePem,
        alpns: dialled === undefined ? this.#alpns : [dialled],
        datagramBytes: loopback ? this.limits.loopbackDatagramBytes : this.limits.maxDatagramBytes,
        limits: this.limits,
        dialling: dialled !== undefined,
      });
      this.#configs.set(key, config);
    }
    return config;
  }

  async #close(): Promise<void> {
    const error = new TransportError('closed', 'the endpoint is closed');
    for (const dial of [...this.#dials.values()]) dial.reject(error);
    const open = [...this.#connections];
    for (const connection of open) {
      if (connection.halfOpen) connection.abandon('the endpoint is closed');
    }
    await Promise.all(
      open.map((each) => each.close(CloseCode.GracefulShutdown, 'the node is shutting down')),
    );
    for (const connection of open) connection.repeatClose();
    for (const queue of this.#inbound.values()) queue.end(error);
    this.#timer?.cancel();
    await this.#socket?.close();
  }
}
