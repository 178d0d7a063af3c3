import { CloseCode } from '@mosaik/wire';
import { type Clock, type Rng, systemClock, systemRng } from '@mosaik/wire/runtime';
import { TransportError } from '../errors.ts';
import type { MemoryEndpoint } from './endpoint.ts';

export interface MemoryNetworkInit {
  /** Everything asynchronous waits through it; default the machine's. */
  clock?: Clock | undefined;
  /** Secrets of connections; default the machine's. */
  rng?: Rng | undefined;
  /** Milliseconds from one address to another, asked for each message; default 0. Messages of one link stay in order. */
  latencyMs?: ((from: string, to: string) => number) | undefined;
  /** Bytes of one link that may be on the way or unread before its writer queues; default 1 MiB. */
  windowBytes?: number | undefined;
}

/** Addresses that memory endpoints listen on, the ways between them, and the faults of a simulation. */
export class MemoryNetwork {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly windowBytes: number;
  /** May be replaced at any time; applies to messages sent from then on. */
  latencyMs: (from: string, to: string) => number;
  /** Endpoints by every address that reaches them. */
  readonly #endpoints = new Map<string, MemoryEndpoint>();
  readonly #cuts = new Set<string>();
  #nextPort = 10_000;

  constructor(init: MemoryNetworkInit = {}) {
    this.clock = init.clock ?? systemClock;
    this.rng = init.rng ?? systemRng;
    this.latencyMs = init.latencyMs ?? (() => 0);
    this.windowBytes = init.windowBytes ?? 1024 * 1024;
  }

  /** Cuts the way between two addresses, or with `oneWay` only from the first to the second. What is sent meanwhile waits for `heal`. */
  partition(a: string, b: string, options: { oneWay?: boolean } = {}): void {
    this.#cuts.add(this.#way(a, b));
    if (!options.oneWay) this.#cuts.add(this.#way(b, a));
    this.#refresh();
  }

  /** Opens the way between two addresses in both directions; without arguments, every way. */
  heal(a?: string, b?: string): void {
    if (a === undefined || b === undefined) this.#cuts.clear();
    else {
      this.#cuts.delete(this.#way(a, b));
      this.#cuts.delete(this.#way(b, a));
    }
    this.#refresh();
  }

  /**
   * The endpoint at `address` is gone without a word and its address free again. Its peers learn of it by their idle
   * timeout, or with `notice: 'at-once'` immediately, as UnexpectedClose.
   */
  crash(address: string, options: { notice?: 'idle-timeout' | 'at-once' } = {}): void {
    this.#endpoints.get(address)?.vanish(options.notice === 'at-once');
  }

  /** Every connection between two addresses ends: both sides see UnexpectedClose. */
  sever(a: string, b: string): void {
    const other = this.canonical(b);
    for (const connection of this.#endpoints.get(a)?.connections ?? []) {
      if (connection.remoteAddress !== other) continue;
      const reason = { code: CloseCode.UnexpectedClose, reason: 'the connection was lost', remote: false };
      connection.peer?.finish(reason);
      connection.finish(reason);
    }
  }

  /** The address that an endpoint is known by here, for any that reaches it. */
  canonical(address: string): string {
    return this.#endpoints.get(address)?.address ?? address;
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`);
  }

  delayMs(from: string, to: string): number {
    return Math.max(0, this.latencyMs(from, to));
  }

  endpointAt(address: string): MemoryEndpoint | undefined {
    return this.#endpoints.get(address);
  }

  freePort(): number {
    this.#nextPort += 1;
    return this.#nextPort;
  }

  attach(endpoint: MemoryEndpoint, addresses: readonly string[]): void {
    if (this.#endpoints.has(endpoint.address)) {
      throw new TransportError('address-in-use', `${endpoint.address} is in use`);
    }
    for (const address of addresses)
      if (!this.#endpoints.has(address)) this.#endpoints.set(address, endpoint);
  }

  detach(endpoint: MemoryEndpoint): void {
    for (const [address, other] of this.#endpoints) if (other === endpoint) this.#endpoints.delete(address);
  }

  #way(from: string, to: string): string {
    return `${this.canonical(from)}>${this.canonical(to)}`;
  }

  #refresh(): void {
    for (const endpoint of new Set(this.#endpoints.values())) {
      for (const connection of endpoint.connections) connection.refresh();
    }
  }
}
