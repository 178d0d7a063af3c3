import { createServer, type Server, type Socket } from 'node:net';
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContext,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
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
import { formatAddress, type HostPort, parseAddress, unmapped } from '../shared/address.ts';
import { bindFailure } from '../shared/bind-failure.ts';
import { HalfOpen } from '../shared/half-open.ts';
import { ItemQueue } from '../shared/item-queue.ts';
import { localAddresses } from '../shared/local-addresses.ts';
import { assertAlpns, type EndpointLimits, parseLimits } from '../shared/options.ts';
import { TlsConnection } from './connection.ts';
import { contextOptions } from './context.ts';
import { dialTls } from './dial.ts';
import { dialFailure, dialRefusal, isPortDead } from './failure.ts';
import { parsePeer } from './peer.ts';

/** Accepted connections that nobody took yet, per protocol. */
const MAX_WAITING_CONNECTIONS = 256;
/** Connections that the host may hold for us until they are looked at. */
const BACKLOG = 511;
/** How soon a port where nobody listens is tried again, at first and at most. */
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 500;

/** One TCP port that accepts; dials leave from ports of the host's choice. */
export class TlsEndpoint implements Endpoint {
  readonly id: PeerId;
  readonly limits: EndpointLimits;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #context: SecureContext;
  readonly #advertise: readonly string[];
  readonly #host: string;
  readonly #listener: Server;
  readonly #handshaker: TlsServer;
  readonly #halfOpen = new HalfOpen();
  /** Inbound streams in their handshake by the address of the other side: what to call when it is done. */
  readonly #handshakes = new Map<string, { raw: Socket; leave: () => void }>();
  readonly #connections = new Set<TlsConnection>();
  readonly #inbound: ReadonlyMap<string, ItemQueue<Connection>>;
  /** What ends a dial under way, by its reason. */
  readonly #dials = new Set<AbortController>();
  #addresses: readonly string[] = [];
  #closing: Promise<void> | undefined;

  constructor(init: ListenInit) {
    this.limits = parseLimits(init);
    this.id = init.secretKey.id;
    this.#clock = init.clock ?? systemClock;
    this.#logger = init.logger ?? silentLogger;
    this.#metrics = init.metrics ?? silentMetrics;
    this.#advertise = [...(init.advertise ?? [])];
    for (const address of this.#advertise) parseAddress(address);
    this.#host = init.host ?? '0.0.0.0';
    this.#inbound = new Map(
      init.alpns.map((alpn) => [alpn, new ItemQueue<Connection>(MAX_WAITING_CONNECTIONS)]),
    );
    const identity = contextOptions(init.secretKey);
    this.#context = createSecureContext(identity);
    this.#handshaker = createTlsServer({
      ...identity,
      ALPNProtocols: [...init.alpns],
      requestCert: true,
      // Self-signed, all of them: the endpoint compares their key itself.
      rejectUnauthorized: false,
      // The listener's own deadline, on its clock, is the one that counts.
      handshakeTimeout: 2 * this.limits.handshakeTimeoutMs,
    });
    this.#handshaker.on('secureConnection', (socket) => this.#handleSecure(socket));
    this.#handshaker.on('tlsClientError', (error) => {
      this.#logger.debug({ error: error.message }, 'an inbound handshake failed');
    });
    this.#listener = createServer({ noDelay: true }, (raw) => this.#handleStream(raw));
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** @throws TransportError `address-in-use`, `address-invalid`, `bind-failed`. */
  async bind(port: number): Promise<void> {
    const host = this.#host;
    await new Promise<void>((resolve, reject) => {
      this.#listener.once('error', (cause) => reject(bindFailure(host, port, cause)));
      try {
        this.#listener.listen({ host, port, backlog: BACKLOG, exclusive: true }, resolve);
      } catch (cause) {
        reject(bindFailure(host, port, cause));
      }
    });
    this.#listener.removeAllListeners('error');
    this.#listener.on('error', (error) => this.#logger.warn({ error: error.message }, 'TCP listener error'));
    const bound = this.#listener.address();
    if (bound === null || typeof bound === 'string') throw new Error('a TCP listener has a port');
    this.#addresses = this.#advertise.length > 0 ? this.#advertise : localAddresses(host, bound.port);
  }

  inbound(alpn: string): AsyncIterable<Connection> {
    const queue = this.#inbound.get(alpn);
    if (!queue) throw new TypeError(`this endpoint does not accept ${JSON.stringify(alpn)}`);
    return queue;
  }

  async connect(address: string, alpn: string, options: ConnectOptions = {}): Promise<Connection> {
    const { expect, signal } = options;
    assertAlpns([alpn]);
    const target = parseAddress(address);
    signal?.throwIfAborted();
    if (this.#closing) throw this.#closedError();
    const limitMs = this.limits.handshakeTimeoutMs;
    let lastFailure: unknown;
    // Not `AbortSignal.any`: what it makes is kept for as long as the caller's signal lives.
    const dial = new AbortController();
    const stop = dial.signal;
    const onAbort = () => dial.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    this.#dials.add(dial);
    const timer = this.#clock.schedule(limitMs, () => {
      const text = `${address} did not answer within ${limitMs} ms`;
      dial.abort(new TransportError('timeout', text, { cause: lastFailure }));
    });
    try {
      const socket = await this.#dial(target, alpn, stop, (error) => {
        lastFailure = error;
      });
      const connection = await this.#welcome(socket, { address, alpn, expect, stop });
      this.#metrics.count('mosaik.transport.connections', { direction: 'outbound' });
      return connection;
    } catch (error) {
      if (stop.aborted) throw stop.reason;
      throw error instanceof TransportError ? error : dialFailure(address, alpn, error);
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      this.#dials.delete(dial);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Tries until somebody listens: like a dial over UDP, which cannot tell. */
  async #dial(
    target: HostPort,
    alpn: string,
    stop: AbortSignal,
    onDeadPort: (error: unknown) => void,
  ): Promise<TLSSocket> {
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(2 * delayMs, MAX_RETRY_MS)) {
      try {
        return await dialTls(target, { secureContext: this.#context, ALPNProtocols: [alpn] }, stop);
      } catch (error) {
        if (stop.aborted || !isPortDead(error)) throw error;
        onDeadPort(error);
        await this.#pause(delayMs, stop);
      }
    }
  }

  /** The connection, once each side accepted the other. */
  #welcome(
    socket: TLSSocket,
    init: { address: string; alpn: string; expect: PeerId | undefined; stop: AbortSignal },
  ): Promise<Connection> {
    const { address, alpn, expect, stop } = init;
    const peer = parsePeer(socket);
    return new Promise((resolve, reject) => {
      const connection = this.#track(socket, {
        initiator: true,
        alpn,
        remoteId: peer.ok ? peer.peerId : undefined,
        onWelcome: () => {
          stop.removeEventListener('abort', onAbort);
          resolve(connection);
        },
      });
      const onAbort = () => {
        reject(stop.reason);
        void connection.close(CloseCode.Cancelled, 'the dial was given up');
      };
      void connection.closed.then((end) => {
        stop.removeEventListener('abort', onAbort);
        reject(dialRefusal(address, end));
      });
      const refuse = (code: number, reason: string, error: TransportError) => {
        reject(error);
        void connection.close(code, reason);
      };
      if (stop.aborted) onAbort();
      else if (!peer.ok) {
        const kind = peer.code === CloseCode.InvalidAlpn ? 'alpn' : 'certificate';
        refuse(peer.code, peer.reason, new TransportError(kind, `${address}: ${peer.reason}`));
      } else if (expect !== undefined && expect !== peer.peerId) {
        const closeCode = CloseCode.UnknownPeer;
        const text = `${address} is ${peer.peerId}, expected ${expect}`;
        refuse(
          closeCode,
          'another peer was expected',
          new TransportError('peer-mismatch', text, { closeCode }),
        );
      } else stop.addEventListener('abort', onAbort);
    });
  }

  /** Somebody connected; nothing was read yet. */
  #handleStream(raw: Socket): void {
    // Gone already, or this endpoint is.
    raw.on('error', () => {});
    const { remoteAddress, remotePort } = raw;
    if (remoteAddress === undefined || this.#closing) {
      raw.destroy();
      return;
    }
    const leave = this.#halfOpen.enter(unmapped(remoteAddress), () => {
      this.#metrics.count('mosaik.transport.handshakes_refused');
      raw.resetAndDestroy();
    });
    const key = streamKey(remoteAddress, remotePort);
    const deadline = this.#clock.schedule(this.limits.handshakeTimeoutMs, () => raw.destroy());
    const done = () => {
      this.#handshakes.delete(key);
      deadline.cancel();
      leave();
    };
    this.#handshakes.set(key, { raw, leave: done });
    raw.once('close', done);
    this.#handshaker.emit('connection', raw);
  }

  #handleSecure(socket: TLSSocket): void {
    // Stays: an error that nobody listens to would end the process.
    socket.on('error', () => {});
    this.#handshakes.get(streamKey(socket.remoteAddress, socket.remotePort))?.leave();
    if (this.#closing || socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const peer = parsePeer(socket);
    const connection = this.#track(socket, {
      initiator: false,
      alpn: peer.ok ? peer.alpn : '',
      remoteId: peer.ok ? peer.peerId : undefined,
      onWelcome: () => {},
    });
    const { remoteAddress } = connection;
    if (!peer.ok) {
      this.#logger.debug({ remoteAddress, error: peer.reason }, 'connection refused');
      void connection.close(peer.code, peer.reason);
      return;
    }
    this.#metrics.count('mosaik.transport.connections', { direction: 'inbound' });
    if (this.#inbound.get(peer.alpn)?.push(connection)) return;
    void connection.close(CloseCode.Cancelled, 'too many connections wait to be accepted');
  }

  #track(
    socket: TLSSocket,
    init: { initiator: boolean; alpn: string; remoteId: PeerId | undefined; onWelcome: () => void },
  ): TlsConnection {
    const connection = new TlsConnection({
      ...init,
      socket,
      remoteAddress: formatAddress(unmapped(socket.remoteAddress ?? ''), socket.remotePort ?? 0),
      limits: this.limits,
      clock: this.#clock,
      onGone: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    return connection;
  }

  #pause(delayMs: number, stop: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        timer.cancel();
        reject(stop.reason);
      };
      const timer = this.#clock.schedule(delayMs, () => {
        stop.removeEventListener('abort', onAbort);
        resolve();
      });
      stop.addEventListener('abort', onAbort);
    });
  }

  #closedError(): TransportError {
    return new TransportError('closed', 'the endpoint is closed');
  }

  async #close(): Promise<void> {
    const error = this.#closedError();
    for (const dial of this.#dials) dial.abort(error);
    const stopped = new Promise((resolve) => this.#listener.close(resolve));
    for (const { raw } of this.#handshakes.values()) raw.destroy();
    await Promise.all(
      [...this.#connections].map((each) =>
        each.close(CloseCode.GracefulShutdown, 'the node is shutting down'),
      ),
    );
    for (const queue of this.#inbound.values()) queue.end(error);
    await stopped;
  }
}

function streamKey(address: string | undefined, port: number | undefined): string {
  return `${address} ${port}`;
}
