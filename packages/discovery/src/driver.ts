import type { Connection } from '@mosaik/transport';
import { Alpn, CloseCode, type PeerId, type SignedPeerEntry } from '@mosaik/wire';
import type { Timer } from '@mosaik/wire/runtime';
import { settledUnlessAborted } from './abort.ts';
import { AnnounceConnection } from './announce-connection.ts';
import type { BootstrapAddress } from './bootstrap.ts';
import type { Catalog } from './core/catalog.ts';
import { Contacts, type ContactsDial, type ContactsInput } from './core/contacts.ts';
import { Gossip, type GossipEffect, type GossipInput } from './core/gossip.ts';
import { dial } from './dial.ts';
import { DiscoveryError } from './errors.ts';
import { Exchanges } from './exchanges.ts';
import { InboundLimiter } from './inbound-limiter.ts';
import type { ResolvedInit } from './options.ts';
import { MAX_PEER_BOOK_ENTRIES } from './peer-book.ts';

/** Dials for catalog exchanges at a time. */
const MAX_CONCURRENT_DIALS = 8;
/** Peers that a node without neighbours tells that it leaves. */
const MAX_FAREWELLS = 3;
/** Inbound connections at a time, of each protocol and of one peer in each. */
const MAX_INBOUND_SYNCS = 32;
const MAX_INBOUND_ANNOUNCES = 128;
const MAX_INBOUND_PER_PEER = 2;

export interface DriverInit {
  readonly options: ResolvedInit;
  readonly catalog: Catalog;
  readonly local: () => SignedPeerEntry;
  /** An entry arrived from `from`; false when no honest peer would have sent it. */
  readonly ingest: (entry: SignedPeerEntry, from: PeerId, link: number | undefined) => boolean;
  /** A whole exchange with this peer succeeded. */
  readonly contacted: (peer: PeerId) => void;
  /** Sign the own entry anew and announce it. */
  readonly refresh: () => void;
  readonly purge: () => void;
}

/** Executes what the gossip and contacts cores ask for: timers, dials, exchanges, announce links. */
export class Driver {
  readonly #init: DriverInit;
  readonly #gossip: Gossip;
  readonly #contacts: Contacts;
  readonly #links = new Map<number, AnnounceConnection>();
  readonly #exchanges: Exchanges;
  /** Dials of neighbours and the links that they became: all of it ends when discovery closes. */
  readonly #dialled = new Set<AbortController>();
  readonly #syncs = new InboundLimiter(MAX_INBOUND_SYNCS, MAX_INBOUND_PER_PEER);
  readonly #announces = new InboundLimiter(MAX_INBOUND_ANNOUNCES, MAX_INBOUND_PER_PEER);
  #nextLink = 1;
  #running = false;
  #closed = false;
  #timer: Timer | undefined;
  #armedMs = Number.POSITIVE_INFINITY;
  #purgeAtMs: number;
  #syncAtMs: number;

  constructor(init: DriverInit) {
    const { options, catalog } = init;
    const { rng, endpoint } = options;
    this.#init = init;
    const nowMs = options.clock.nowMs();
    // Three announcements missed: time to look for the peer again.
    const quietMs = Math.min(
      3 * (options.announceIntervalMs + options.announceJitterMs),
      options.purgeAfterMs,
    );
    this.#gossip = new Gossip(
      {
        localId: endpoint.id,
        rng,
        candidates: (now) => catalog.alive(now, options.purgeAfterMs),
        announceIntervalMs: options.announceIntervalMs,
        announceJitterMs: options.announceJitterMs,
        maxNeighbours: options.maxNeighbours,
      },
      init.local(),
      nowMs,
    );
    this.#contacts = new Contacts({
      rng,
      localId: endpoint.id,
      isAlive: (peer, now) => catalog.isAlive(peer, now, quietMs),
      maxRemembered: MAX_PEER_BOOK_ENTRIES - 1,
      maxConcurrent: MAX_CONCURRENT_DIALS,
    });
    this.#exchanges = new Exchanges({
      options,
      catalog,
      local: init.local,
      ingest: (entry, from) => init.ingest(entry, from, undefined),
      contacted: init.contacted,
    });
    this.#purgeAtMs = nowMs + this.#purgePeriodMs;
    this.#syncAtMs = this.#nextSyncMs(nowMs);
  }

  start(bootstrap: readonly BootstrapAddress[], known: readonly SignedPeerEntry[]): void {
    this.#accept(Alpn.discoverySync, this.#syncs, (connection) => this.#exchanges.serve(connection));
    this.#accept(Alpn.discoveryAnnounce, this.#announces, (connection) => this.#runLink(connection));
    for (const { address, peerId } of bootstrap) {
      this.contacts({ type: 'bootstrap', address, expect: peerId });
    }
    for (const entry of known) this.contacts({ type: 'remember', entry });
    this.#arm();
  }

  gossip(input: GossipInput): void {
    if (this.#closed) return;
    this.#gossip.handle(input, this.#nowMs);
    this.#run();
  }

  contacts(input: ContactsInput): void {
    if (this.#closed) return;
    this.#contacts.handle(input, this.#nowMs);
    this.#run();
  }

  remembered(): SignedPeerEntry[] {
    return this.#contacts.remembered();
  }

  /** One catalog exchange; see `Discovery.syncWith`. */
  async sync(
    address: string,
    options: { expect?: PeerId | undefined; signal?: AbortSignal | undefined },
  ): Promise<void> {
    await this.#exchanges.dial([address], options);
  }

  /**
   * Tells every neighbour the last entry, which `local` gives by now, and ends all connections. Without a neighbour,
   * a few others are told. Takes at most `timeoutMs`.
   */
  async close(timeoutMs: number): Promise<void> {
    const { clock } = this.#init.options;
    const timeout = new AbortController();
    const timer = clock.schedule(timeoutMs, () => timeout.abort(new DiscoveryError('timeout', 'closing')));
    const links = [...this.#links.values()];
    for (const link of links) link.send(this.#init.local());
    if (links.length === 0) await this.#tellOthers(timeout.signal);
    this.#timer?.cancel();
    this.#closed = true;
    this.#exchanges.close();
    for (const abort of this.#dialled) abort.abort();
    const inbound = [...this.#syncs.connections(), ...this.#announces.connections()];
    const closing = [...links.map(({ connection }) => connection), ...inbound].map((connection) =>
      connection.close(CloseCode.GracefulShutdown, 'leaving'),
    );
    await settledUnlessAborted(Promise.allSettled(closing), timeout.signal).catch(() => undefined);
    timer.cancel();
  }

  async #tellOthers(signal: AbortSignal): Promise<void> {
    const { catalog, options } = this.#init;
    const peers = [...catalog.alive(this.#nowMs, options.purgeAfterMs)].slice(0, MAX_FAREWELLS);
    await Promise.allSettled(
      peers.map((expect) =>
        this.#exchanges.dial(catalog.entry(expect)?.entry.addresses ?? [], { expect, signal }),
      ),
    );
  }

  get #nowMs(): number {
    return this.#init.options.clock.nowMs();
  }

  get #purgePeriodMs(): number {
    return this.#init.options.purgeAfterMs / 20;
  }

  #nextSyncMs(nowMs: number): number {
    const { syncIntervalMs, rng } = this.#init.options;
    return nowMs + syncIntervalMs * (0.5 + rng.float());
  }

  /** Executes effects until none is left; what they cause in turn is executed by the outermost call. */
  #run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      for (;;) {
        const effects = [...this.#gossip.drain(), ...this.#contacts.drain()];
        if (effects.length === 0) break;
        for (const effect of effects) this.#execute(effect);
      }
    } finally {
      this.#running = false;
    }
    const { metrics, networkId } = this.#init.options;
    metrics.gauge('mosaik.discovery.gossip.neighbors', this.#gossip.neighbours, { network: networkId });
    this.#arm();
  }

  #execute(effect: GossipEffect | ContactsDial): void {
    switch (effect.type) {
      case 'send':
        this.#links.get(effect.link)?.send(effect.entry);
        break;
      case 'close':
        this.#links.get(effect.link)?.close(effect.code, effect.reason);
        break;
      case 'refresh':
        this.#init.refresh();
        break;
      case 'dial':
        if ('target' in effect) void this.#dialContact(effect);
        else void this.#dialNeighbour(effect.peer);
        break;
    }
  }

  #arm(): void {
    if (this.#closed) return;
    const dueMs = Math.min(
      this.#gossip.nextDeadlineMs(),
      this.#contacts.nextDeadlineMs() ?? Number.POSITIVE_INFINITY,
      this.#purgeAtMs,
      this.#syncAtMs,
    );
    if (this.#timer && dueMs === this.#armedMs) return;
    this.#timer?.cancel();
    this.#armedMs = dueMs;
    this.#timer = this.#init.options.clock.schedule(dueMs - this.#nowMs, () => this.#handleTimer());
  }

  #handleTimer(): void {
    this.#timer = undefined;
    const nowMs = this.#nowMs;
    if (nowMs >= this.#purgeAtMs) {
      this.#purgeAtMs = nowMs + this.#purgePeriodMs;
      this.#init.purge();
    }
    if (nowMs >= this.#syncAtMs) {
      this.#syncAtMs = this.#nextSyncMs(nowMs);
      this.#syncWithRandomPeer(nowMs);
    }
    this.#gossip.handle({ type: 'tick' }, nowMs);
    this.contacts({ type: 'tick' });
  }

  #syncWithRandomPeer(nowMs: number): void {
    const { catalog, options } = this.#init;
    const peers = [...catalog.alive(nowMs, options.purgeAfterMs)].sort();
    const peer = peers[Math.floor(options.rng.float() * peers.length)];
    if (peer !== undefined) this.#contacts.handle(this.#syncInput(peer), nowMs);
  }

  #syncInput(peer: PeerId): ContactsInput {
    return { type: 'sync', peer, addresses: this.#init.catalog.entry(peer)?.entry.addresses ?? [] };
  }

  async #dialContact({ target, addresses, expect }: ContactsDial): Promise<void> {
    try {
      const peer = await this.#exchanges.dial(addresses, { expect });
      this.contacts({ type: 'succeeded', target, peer });
    } catch (error) {
      const { logger } = this.#init.options;
      logger.debug({ target, error: (error as Error).message }, 'no catalog exchange with this contact');
      this.contacts({ type: 'failed', target });
    }
  }

  async #dialNeighbour(peer: PeerId): Promise<void> {
    const { options, catalog } = this.#init;
    const abort = new AbortController();
    this.#dialled.add(abort);
    try {
      const addresses = catalog.entry(peer)?.entry.addresses ?? [];
      const connection = await dial(options.endpoint, addresses, Alpn.discoveryAnnounce, {
        clock: options.clock,
        timeoutMs: options.dialTimeoutMs,
        expect: peer,
        signal: abort.signal,
      });
      abort.signal.addEventListener('abort', () => {
        void connection.close(CloseCode.GracefulShutdown, 'leaving');
      });
      if (await this.#runLink(connection)) return;
    } catch (error) {
      options.logger.debug({ peer, error: (error as Error).message }, 'neighbour not reached');
      this.contacts({ type: 'lost', peer });
    } finally {
      this.#dialled.delete(abort);
    }
    this.gossip({ type: 'dial-failed', peer });
  }

  /** Greets, then serves the link until it ends. False when the greeting failed. */
  async #runLink(connection: Connection): Promise<boolean> {
    const { options, ingest } = this.#init;
    const announce = await AnnounceConnection.greet(connection, {
      networkId: options.networkId,
      clock: options.clock,
      timeoutMs: options.exchangeTimeoutMs,
    });
    if (!announce) return false;
    if (this.#closed) {
      announce.close(CloseCode.GracefulShutdown, 'leaving');
      return false;
    }
    const { remoteId: peer, initiator } = connection;
    const link = this.#nextLink++;
    this.#links.set(link, announce);
    this.gossip({ type: 'link-opened', link, peer, initiator });
    // What the peer accepted before the link was up is in its catalog; what it accepts from now on comes by the link.
    if (initiator) this.contacts(this.#syncInput(peer));
    await announce.run((entry) => ingest(entry, peer, link));
    this.#links.delete(link);
    this.gossip({ type: 'link-closed', link });
    const { code } = await connection.closed;
    if (code !== CloseCode.Success) this.contacts({ type: 'lost', peer });
    return true;
  }

  /** Serves every inbound connection on its own: no peer waits for another. */
  #accept(alpn: string, limiter: InboundLimiter, serve: (connection: Connection) => Promise<unknown>): void {
    const loop = async () => {
      for await (const connection of this.#init.options.endpoint.inbound(alpn)) {
        if (this.#closed) void connection.close(CloseCode.GracefulShutdown, 'leaving');
        else limiter.serve(connection, serve);
      }
    };
    // The only way out is the endpoint's end.
    loop().catch((error: Error) => {
      this.#init.options.logger.debug({ alpn, error: error.message }, 'no longer accepting');
    });
  }
}
