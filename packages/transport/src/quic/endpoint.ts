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
} from '@mosaik/wire/runtime';
import { TransportError } from '../errors.ts';
import type { Connection, ConnectOptions, Endpoint, ListenInit } from '../ports.ts';
import { type HostPort, isLoopback, parseAddress } from '../shared/address.ts';
import { BusyPoll, parseBusyPoll } from '../shared/busy-poll.ts';
import { createCertificate } from '../shared/certificate.ts';
import { ItemQueue } from '../shared/item-queue.ts';
import { localAddresses } from '../shared/local-addresses.ts';
import { assertAlpns, type EndpointLimits, parseLimits } from '../shared/options.ts';
import { Acceptor } from './acceptor.ts';
import type { Accepted } from './admission.ts';
import { Configs } from './config.ts';
import { QuicConnection } from './connection.ts';
import type { End } from './connection-failure.ts';
import { ConnectionTable } from './connection-table.ts';
import { DatagramSocket } from './datagram-socket.ts';
import { Dials } from './dials.ts';
import { Keylog } from './keylog.ts';
import type { Native, NativeConnection } from './native.ts';
import { nativeLedger } from './native-ledger.ts';
import { idKey, isLongHeader, OWN_ID_BYTES, parseLongHeader } from './packet-header.ts';
import { resolveAddress } from './resolve-address.ts';
import { Sender } from './sender.ts';
import { Turns } from './turns.ts';

/** Accepted connections that nobody took yet, per protocol. */
const MAX_WAITING_CONNECTIONS = 256;

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
  readonly turns: Turns;
  readonly sender = new Sender();
  readonly #native: Native;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #advertise: readonly string[];
  readonly #host: string;
  readonly #keylogDirectory: string | undefined;
  readonly #configs: Configs;
  readonly #connections = new ConnectionTable();
  readonly #dials = new Dials();
  readonly #acceptor: Acceptor;
  readonly #inbound: ReadonlyMap<string, ItemQueue<Connection>>;
  #socket: DatagramSocket | undefined;
  #addresses: readonly string[] = [];
  #local: HostPort = { host: '127.0.0.1', port: 1 };
  #closing: Promise<void> | undefined;

  constructor(init: QuicEndpointInit) {
    const { native, secretKey, alpns, retryFromHalfOpen } = init;
    this.limits = parseLimits(init);
    this.id = secretKey.id;
    this.clock = init.clock ?? systemClock;
    this.busyPoll = new BusyPoll({ clock: this.clock, windowMs: parseBusyPoll(init.busyPollMs) });
    this.#native = native;
    this.#logger = init.logger ?? silentLogger;
    this.#metrics = init.metrics ?? silentMetrics;
    this.#configs = new Configs({
      native,
      keyPem: Buffer.from(secretKey.exportPem()),
      certificatePem: Buffer.from(createCertificate(secretKey)),
      alpns: [...alpns],
      limits: this.limits,
    });
    this.#advertise = [...(init.advertise ?? [])];
    for (const address of this.#advertise) parseAddress(address);
    this.#host = init.host ?? '0.0.0.0';
    this.#keylogDirectory = init.keylogDirectory;
    this.turns = new Turns({ clock: this.clock, logger: this.#logger, connections: this.#connections });
    this.#acceptor = new Acceptor({
      native,
      retryFromHalfOpen,
      clock: this.clock,
      logger: this.#logger,
      metrics: this.#metrics,
      turns: this.turns,
      sender: this.sender,
      accept: (verdict, remote) => this.#accept(verdict, remote),
    });
    this.#inbound = new Map(alpns.map((alpn) => [alpn, new ItemQueue<Connection>(MAX_WAITING_CONNECTIONS)]));
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
    this.sender.handleBound(socket);
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

    const config = this.#configs.of(isLoopback(remote.host), alpn);
    const id = randomBytes(OWN_ID_BYTES);
    const native = this.#native.Connection.connect(null, id, this.#local, remote, config);
    const connection = this.#track(native, { remote, initiator: true, routes: [idKey(id)], expect });
    const dialled = this.#dials.wait(connection, { address, alpn, signal });
    this.turns.schedule(connection);
    return dialled;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // What connections tell their endpoint.

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
    this.#dials.resolve(connection);
  }

  /** We do not want this peer. An acceptor's application never hears of it. */
  handleRefused(connection: QuicConnection, error: TransportError): void {
    this.#logger.debug(
      { remoteAddress: connection.remoteAddress, error: error.message },
      'connection refused',
    );
    this.#dials.reject(connection, error);
  }

  handleEnded(connection: QuicConnection, end: End): void {
    this.#dials.handleEnded(connection, end);
  }

  forget(connection: QuicConnection): void {
    if (!this.#connections.delete(connection)) return;
    // One that failed holds its memory while it drains: its place is free only now.
    connection.leaveHalfOpen?.();
    nativeLedger.release();
  }

  // What the socket tells.

  #handleDatagram(datagram: Buffer, source: RemoteInfo): void {
    const header = isLongHeader(datagram) ? parseLongHeader(datagram) : 'short';
    if (!header) return;
    const connection =
      header === 'short' ? this.#connections.ofShortHeader(datagram) : this.#connections.ofId(header.dcid);
    if (connection) this.turns.drive(connection, () => connection.handleDatagram(datagram, source));
    else if (header !== 'short' && !this.#closing) this.#acceptor.handleUnknown(datagram, header, source);
  }

  /** Peers hear of the connections again at once, not only when something is found lost. */
  #handleRebound(): void {
    this.#metrics.count('mosaik.transport.rebinds');
    for (const connection of this.#connections)
      this.turns.drive(connection, () => connection.handleRebound());
  }

  /**
   * A dial ends at once. On a connection it is a loss like others, since networks come back; but what is too large stays
   * so, while small acknowledgements would keep the connection alive for nothing.
   */
  #handleRefusedDatagram(cause: NodeJS.ErrnoException, host: string, port: number): void {
    for (const connection of [...this.#connections]) {
      if (connection.remote.port !== port || connection.remote.host !== host) continue;
      if (connection.halfOpen && this.#dials.handleUnreachable(connection, cause)) {
        connection.abandon('the network refused a datagram');
      } else if (cause.code === 'EMSGSIZE') {
        connection.handleFailure('the network refuses datagrams of this size: lower maxDatagramBytes');
      }
    }
  }

  #accept({ id, originalId, routes }: Accepted, remote: HostPort): QuicConnection {
    const config = this.#configs.of(isLoopback(remote.host));
    const native = this.#native.Connection.accept(id, originalId, this.#local, remote, config);
    return this.#track(native, { remote, initiator: false, routes });
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
    return connection;
  }

  async #close(): Promise<void> {
    const error = new TransportError('closed', 'the endpoint is closed');
    this.#dials.rejectAll(error);
    const open = [...this.#connections];
    for (const connection of open) {
      if (connection.halfOpen) connection.abandon('the endpoint is closed');
    }
    await Promise.all(
      open.map((each) => each.close(CloseCode.GracefulShutdown, 'the node is shutting down')),
    );
    for (const connection of open) connection.repeatClose();
    for (const queue of this.#inbound.values()) queue.end(error);
    this.turns.stop();
    await this.#socket?.close();
  }
}
