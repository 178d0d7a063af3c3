import { CloseCode, type PeerId } from '@mosaik/wire';
import { TransportError } from '../errors.ts';
import type { Connection, ConnectOptions, Endpoint, ListenInit } from '../ports.ts';
import { formatAddress, parseAddress } from '../shared/address.ts';
import { ItemQueue } from '../shared/item-queue.ts';
import { assertAlpns, type EndpointLimits, parseLimits } from '../shared/options.ts';
import { MemoryConnection } from './connection.ts';
import type { MemoryNetwork } from './network.ts';

/** Accepted connections that nobody took yet, per protocol. */
const MAX_WAITING_CONNECTIONS = 256;

/** An endpoint of a `MemoryNetwork`. */
export class MemoryEndpoint implements Endpoint {
  readonly id: PeerId;
  readonly addresses: readonly string[];
  /** The bound address: what latencies and cuts are keyed by. */
  readonly address: string;
  readonly network: MemoryNetwork;
  readonly limits: EndpointLimits;
  readonly connections = new Set<MemoryConnection>();
  readonly #inbound: ReadonlyMap<string, ItemQueue<Connection>>;
  #closed = false;

  constructor(network: MemoryNetwork, init: ListenInit) {
    this.limits = parseLimits(init);
    this.network = network;
    this.id = init.secretKey.id;
    const host = init.host === undefined || init.host === '0.0.0.0' ? '127.0.0.1' : init.host;
    this.address = formatAddress(host, init.port || network.freePort());
    this.addresses = init.advertise && init.advertise.length > 0 ? [...init.advertise] : [this.address];
    this.#inbound = new Map(
      init.alpns.map((alpn) => [alpn, new ItemQueue<Connection>(MAX_WAITING_CONNECTIONS)]),
    );
    network.attach(this, [this.address, ...this.addresses]);
  }

  inbound(alpn: string): AsyncIterable<Connection> {
    const queue = this.#inbound.get(alpn);
    if (!queue) throw new TypeError(`this endpoint does not accept ${JSON.stringify(alpn)}`);
    return queue;
  }

  async connect(address: string, alpn: string, options: ConnectOptions = {}): Promise<Connection> {
    const { expect, signal } = options;
    parseAddress(address);
    assertAlpns([alpn]);
    if (this.#closed) throw new TransportError('closed', 'the endpoint is closed');
    signal?.throwIfAborted();

    const { network } = this;
    const remoteAddress = network.canonical(address);
    const secret = network.rng.bytes(32);
    const dialled = new MemoryConnection({ endpoint: this, remoteAddress, alpn, initiator: true, secret });
    this.connections.add(dialled);
    const startedMs = network.clock.nowMs();

    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        deadline.cancel();
        signal?.removeEventListener('abort', onAbort);
        reject(error);
        dialled.finish({ code: CloseCode.Cancelled, reason: 'not connected', remote: false });
      };
      const onAbort = () => {
        void dialled.close(CloseCode.Cancelled, 'the dial was cancelled');
        fail(signal?.reason);
      };
      const limitMs = this.limits.handshakeTimeoutMs;
      const deadline = network.clock.schedule(limitMs, () => {
        void dialled.close(CloseCode.Cancelled, 'the dial timed out');
        fail(new TransportError('timeout', `${address} did not answer within ${limitMs} ms`));
      });
      signal?.addEventListener('abort', onAbort);
      void dialled.closed.then(() => fail(dialled.refusal()));

      dialled.control.push(() => {
        const target = network.endpointAt(address);
        if (!target) return;
        target.#handleDial(dialled, secret, {
          unknownAlpn: () => fail(new TransportError('alpn', `${address} does not speak ${alpn}`)),
          answered: (accepted) => {
            if (dialled.ended) return;
            dialled.rttMs = network.clock.nowMs() - startedMs;
            dialled.control.push(() => accepted.endpoint.#handleProven(accepted, welcome));
            if (expect === undefined || expect === dialled.remoteId) return;
            const text = `${address} is ${dialled.remoteId}, expected ${expect}`;
            void dialled.close(CloseCode.UnknownPeer, 'another peer was expected');
            fail(new TransportError('peer-mismatch', text, { closeCode: CloseCode.UnknownPeer }));
          },
        });
      });
      const welcome = () => {
        if (dialled.ended) return;
        deadline.cancel();
        signal?.removeEventListener('abort', onAbort);
        resolve(dialled);
      };
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const error = new TransportError('closed', 'the endpoint is closed');
    for (const connection of [...this.connections]) {
      void connection.close(CloseCode.GracefulShutdown, 'the node is shutting down');
    }
    this.network.detach(this);
    for (const queue of this.#inbound.values()) queue.end(error);
  }

  /** Gone without a word. */
  vanish(noticeAtOnce: boolean): void {
    this.#closed = true;
    this.network.detach(this);
    for (const connection of [...this.connections]) {
      const { peer } = connection;
      connection.vanish();
      if (noticeAtOnce) {
        peer?.finish({ code: CloseCode.UnexpectedClose, reason: 'the connection was lost', remote: false });
      }
    }
    for (const queue of this.#inbound.values())
      queue.end(new TransportError('closed', 'the endpoint crashed'));
  }

  #handleDial(
    dialled: MemoryConnection,
    secret: Uint8Array,
    answer: { unknownAlpn: () => void; answered: (accepted: MemoryConnection) => void },
  ): void {
    if (dialled.ended) return;
    const { alpn } = dialled;
    const remoteAddress = dialled.endpoint.address;
    const accepted = new MemoryConnection({ endpoint: this, remoteAddress, alpn, initiator: false, secret });
    if (!this.#inbound.has(alpn)) {
      accepted.control.push(answer.unknownAlpn);
      return;
    }
    this.connections.add(accepted);
    MemoryConnection.join(dialled, accepted);
    accepted.refresh();
    accepted.control.push(() => answer.answered(accepted));
  }

  #handleProven(accepted: MemoryConnection, welcome: () => void): void {
    if (accepted.ended) return;
    accepted.rttMs = accepted.peer?.rttMs;
    if (this.#inbound.get(accepted.alpn)?.push(accepted)) accepted.control.push(welcome);
    else void accepted.close(CloseCode.Cancelled, 'too many connections wait to be accepted');
  }
}
