import type { Connection } from '@mosaik/transport';
import { Alpn, CloseCode, comparePeerEntryVersions, type PeerId, type SignedPeerEntry } from '@mosaik/wire';
import type { Timer } from '@mosaik/wire/runtime';
import { AnnounceConnection } from './announce-connection.ts';
import type { BootstrapAddress } from './bootstrap.ts';
import type { Catalog } from './core/catalog.ts';
import { Contacts, type ContactsDial, type ContactsInput } from './core/contacts.ts';
import { Gossip, type GossipEffect, type GossipInput } from './core/gossip.ts';
import { dial } from './dial.ts';
import { DiscoveryError } from './errors.ts';
import { InboundLimiter } from './inbound-limiter.ts';
import type { ResolvedInit } from './options.ts';
import { MAX_PEER_BOOK_ENTRIES } from './peer-book.ts';
import { syncOver } from './sync-connection.ts';

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
  /** What is being dialled and exchanged: all of it ends when discovery closes. */
  readonly #pending = new Set<AbortController>();
  readonly #syncs = new InboundLimiter(MAX_INBOUND_SYNCS, MAX_INBOUND_PER_PEER);
  readonly #announces = new InboundLimiter(MAX_INBOUND_ANNOUNCES, MAX_INBOUND_PER_PEER);
  /** One exchange at a time with each peer that this side dials; later ones wait for it. */
  readonly #exchanges = new Map<string, Promise<void>>();
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
    this.#purgeAtMs = nowMs + this.#purgePeriodMs;
    this.#syncAtMs = this.#nextSyncMs(nowMs);
  }

  start(bootstrap: readonly BootstrapAddress[], known: readonly SignedPeerEntry[]): void {
    this.#accept(Alpn.discoverySync, this.#syncs, (connection) => this.#serveSync(connection));
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

  /** One catalog exchange with whoever is at one of the addresses; resolves with who that was. */
  async sync(
    addresses: readonly string[],
    options: { expect?: PeerId | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<PeerId> {
    const abort = this.#begin();
    const release = follow(options.signal, abort);
    const key = options.expect ?? addresses.join(' ');
    const earlier = this.#exchanges.get(key);
    const exchange = (async () => {
      if (earlier) await unlessAborted(earlier, abort.signal);
      return this.#sync(addresses, options.expect, abort.signal);
    })();
    const settled = Promise.allSettled([earlier, exchange]).then(() => undefined);
    this.#exchanges.set(key, settled);
    try {
      return await exchange;
    } finally {
      release();
      this.#pending.delete(abort);
      void settled.then(() => {
        if (this.#exchanges.get(key) === settled) this.#exchanges.delete(key);
      });
    }
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
    for (const abort of this.#pending) abort.abort(closingReason());
    const inbound = [...this.#syncs.connections(), ...this.#announces.connections()];
    const closing = [...links.map(({ connection }) => connection), ...inbound].map((connection) =>
      connection.close(CloseCode.GracefulShutdown, 'leaving'),
    );
    await unlessAborted(Promise.allSettled(closing), timeout.signal).catch(() => undefined);
    timer.cancel();
  }

  #begin(): AbortController {
    const abort = new AbortController();
    if (this.#closed) abort.abort(closingReason());
    else this.#pending.add(abort);
    return abort;
  }

  async #tellOthers(signal: AbortSignal): Promise<void> {
    const { catalog, options } = this.#init;
    const peers = [...catalog.alive(this.#nowMs, options.purgeAfterMs)].slice(0, MAX_FAREWELLS);
    await Promise.allSettled(
      peers.map((expect) => this.sync(catalog.entry(expect)?.entry.addresses ?? [], { expect, signal })),
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
      const peer = await this.sync(addresses, { expect });
      this.contacts({ type: 'succeeded', target, peer });
    } catch (error) {
      const { logger } = this.#init.options;
      logger.debug({ target, error: (error as Error).message }, 'no catalog exchange with this contact');
      this.contacts({ type: 'failed', target });
    }
  }

  async #sync(
    addresses: readonly string[],
    expect: PeerId | undefined,
    signal: AbortSignal,
  ): Promise<PeerId> {
    const { endpoint, clock, dialTimeoutMs: timeoutMs } = this.#init.options;
    const dialOptions = { clock, timeoutMs, expect, signal };
    const connection = await dial(endpoint, addresses, Alpn.discoverySync, dialOptions);
    if (connection.remoteId === endpoint.id) {
      await connection.close(CloseCode.Success, 'this is the same node');
      return connection.remoteId;
    }
    const abort = () => void connection.close(CloseCode.Cancelled, 'the exchange was cancelled');
    signal.addEventListener('abort', abort, { once: true });
    try {
      await this.#exchange(connection);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return connection.remoteId;
  }

  async #serveSync(connection: Connection): Promise<void> {
    try {
      await this.#exchange(connection);
    } catch (error) {
      const { logger } = this.#init.options;
      logger.debug({ peer: connection.remoteId, error: (error as Error).message }, 'catalog exchange failed');
    }
  }

  async #exchange(connection: Connection): Promise<void> {
    const { options, catalog, local, ingest } = this.#init;
    const { remoteId } = connection;
    await syncOver(connection, {
      networkId: options.networkId,
      clock: options.clock,
      timeoutMs: options.exchangeTimeoutMs,
      view: {
        digest: () => {
          const { entry } = local();
          return [{ peerId: entry.peerId, version: entry.version }, ...catalog.digest(remoteId)];
        },
        entry: (peer) => (peer === options.endpoint.id ? local() : catalog.entryFor(remoteId, peer)),
        lacks: (item) => {
          if (item.peerId !== options.endpoint.id) return catalog.lacks(item);
          // Worth asking for: it is signed, so this identity used it before.
          return comparePeerEntryVersions(item.version, local().entry.version) > 0;
        },
      },
      receive: (entry) => ingest(entry, remoteId, undefined),
    });
    catalog.contact(remoteId, this.#nowMs);
    options.metrics.count('mosaik.discovery.catalog.syncs', { network: options.networkId });
  }

  async #dialNeighbour(peer: PeerId): Promise<void> {
    const { options, catalog } = this.#init;
    const abort = this.#begin();
    try {
      const addresses = catalog.entry(peer)?.entry.addresses ?? [];
      const connection = await dial(options.endpoint, addresses, Alpn.discoveryAnnounce, {
        clock: options.clock,
        timeoutMs: options.dialTimeoutMs,
        expect: peer,
        signal: abort.signal,
      });
      this.#pending.delete(abort);
      if (await this.#runLink(connection)) return;
    } catch (error) {
      options.logger.debug({ peer, error: (error as Error).message }, 'neighbour not reached');
    } finally {
      this.#pending.delete(abort);
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

function closingReason(): Error {
  return new DOMException('discovery is closing', 'AbortError');
}

/** Aborts `controller` with `signal`, until the returned function is called. */
function follow(signal: AbortSignal | undefined, controller: AbortController): () => void {
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}

function unlessAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    const done = () => {
      signal.removeEventListener('abort', abort);
      resolve();
    };
    promise.then(done, done);
  });
}
