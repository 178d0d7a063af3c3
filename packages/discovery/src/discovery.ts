import {
  type CatalogDigestEntry,
  comparePeerEntryVersions,
  type GroupId,
  MAX_PEER_ENTRY_BYTES,
  type PeerEntry,
  type PeerId,
  SignedPeerEntry,
  type Ticket,
  UniqueId,
} from '@mosaik/wire';
import { type Timer, type Watch, WatchCell } from '@mosaik/wire/runtime';
import { parseBootstrap } from './bootstrap.ts';
import { Catalog } from './core/catalog.ts';
import { createLocalEntry, type LocalContent, LocalVersion, sameContent } from './core/entry.ts';
import { Driver } from './driver.ts';
import { DiscoveryError } from './errors.ts';
import { type DiscoveryInit, type ResolvedInit, resolveInit } from './options.ts';
import { PeerBookKeeper } from './peer-book-keeper.ts';
import { signEntry, verifyEntry } from './signed-entry.ts';

/** `peer:updated` tells of changed content: a peer that merely signed anew, as all do every period, is no event. */
export type DiscoveryEvent = 'peer:discovered' | 'peer:updated' | 'peer:departed';

const LIMITS = { addresses: 8, tags: 32, groups: 64, tickets: 8 } as const;
/** Later versions of the same content may take more bytes, and must still fit. */
const VERSION_ROOM_BYTES = 16;
/** Two processes with one identity would otherwise outbid each other as fast as the network carries it. */
const CONFLICT_PERIOD_MS = 1_000;

/** Finds the peers of a network and keeps their signed entries up to date. */
export class Discovery {
  readonly #options: ResolvedInit;
  readonly #catalog: Catalog;
  readonly #driver: Driver;
  readonly #book: PeerBookKeeper;
  readonly #version: LocalVersion;
  readonly #local: WatchCell<SignedPeerEntry>;
  readonly #subscribers = new Set<(entry: SignedPeerEntry) => void>();
  readonly #listeners = new Map<DiscoveryEvent, Set<(entry: PeerEntry) => void>>();
  readonly #sources = new AbortController();
  #content: LocalContent;
  #conflictAtMs = Number.NEGATIVE_INFINITY;
  #conflictTimer: Timer | undefined;
  #leaving = false;
  /** What changes is not announced any more. */
  #silent = false;
  #closing: Promise<void> | undefined;

  private constructor(options: ResolvedInit, known: readonly SignedPeerEntry[]) {
    const { endpoint, networkId, clock } = options;
    this.#options = options;
    this.#content = {
      addresses: endpoint.addresses.slice(0, LIMITS.addresses),
      tags: options.tags,
      groups: [],
      tickets: [],
    };
    assertContent(this.#content);
    const own = known.find(({ entry }) => entry.peerId === endpoint.id);
    this.#version = new LocalVersion(clock.wallMs(), own?.entry.version);
    this.#local = new WatchCell(this.#sign(this.#content));
    this.#catalog = new Catalog({
      localId: endpoint.id,
      networkId,
      verify: verifyEntry,
      maxSize: options.maxCatalogSize,
      purgeAfterMs: options.purgeAfterMs,
      maxTimeDriftMs: options.maxTimeDriftMs,
    });
    this.#driver = new Driver({
      options,
      catalog: this.#catalog,
      local: () => this.#local.value,
      ingest: (entry, from, link) => this.#ingest(entry, entry.entry.peerId === from, link) !== 'hostile',
      contacted: (peer) => this.#handleContacted(peer),
      refresh: () => this.#refresh(),
      purge: () => this.#purge(),
    });
    this.#book = new PeerBookKeeper(options, () => [this.#local.value, ...this.#driver.remembered()]);
  }

  /**
   * Reads the peer book, then starts to accept, to dial and to announce. Resolves without waiting for any peer.
   *
   * @throws TypeError or RangeError for a malformed option, naming it and its value.
   */
  static async start(init: DiscoveryInit): Promise<Discovery> {
    const options = resolveInit(init);
    const known = await loadBook(options);
    const discovery = new Discovery(options, known);
    discovery.#driver.start(options.bootstrap, known);
    for (const source of options.sources) {
      source.start((address) => discovery.#handleFound(address), { signal: discovery.#sources.signal });
    }
    discovery.#book.touch();
    return discovery;
  }

  /** The own entry. It is signed anew on every change and every announce period. */
  get local(): Watch<SignedPeerEntry> {
    return this.#local;
  }

  /** The newest entry of another peer; also of one that departed, until it is purged. */
  entry(peer: PeerId): SignedPeerEntry | undefined {
    return this.#catalog.entry(peer);
  }

  /** The newest entries of all other peers that have not departed. */
  *entries(): Iterable<SignedPeerEntry> {
    for (const entry of this.#catalog.entries()) if (!entry.entry.departed) yield entry;
  }

  /**
   * Offers an entry, from wherever. True when it was accepted; false when it was refused or is not newer than what is
   * known. Never throws on a peer's bytes. `fromSubject`: it came from its own subject over an authenticated channel,
   * so its clock is taken as it is, and the peer is remembered. `vouched`: it came from a trusted peer, a member of a
   * group of ours; the subject's clock is taken as it is too, but the subject counts as not met.
   */
  feed(
    entry: SignedPeerEntry,
    options: { fromSubject?: boolean | undefined; vouched?: boolean | undefined } = {},
  ): boolean {
    const { fromSubject = false, vouched = false } = options;
    return this.#ingest(entry, fromSubject, undefined, vouched) === 'accepted';
  }

  /** Calls `listener` with every newly accepted version, departures too, until the returned function is called. */
  subscribe(listener: (entry: SignedPeerEntry) => void): () => void {
    this.#subscribers.add(listener);
    return () => this.#subscribers.delete(listener);
  }

  /** Calls `listener` on an event until the returned function is called. A peer that is forgotten, purged or displaced, departs too. */
  on(event: DiscoveryEvent, listener: (entry: PeerEntry) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /**
   * Exchanges catalogs with the peer at `address` (`"host:port"` or `"<peerId>@host:port"`), both ways.
   *
   * @throws DiscoveryError `different-network`, `timeout`, `unreachable`, `refused`, `protocol`, `closed`; TypeError
   * for a malformed address; the signal's reason when aborted, after which entries may have been exchanged.
   */
  async syncWith(
    address: string,
    options: { expect?: PeerId | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const parsed = parseBootstrap(address);
    if (this.#leaving) throw new DiscoveryError('closed', 'discovery is closed');
    await this.#driver.sync(parsed.address, {
      expect: options.expect ?? parsed.peerId,
      signal: options.signal,
    });
  }

  /** Names a group in the own entry. At most 64. @throws RangeError above that. Like all changes below: nothing after `close`. */
  addGroup(id: GroupId): void {
    this.#change({ groups: [...new Set([...this.#content.groups, id])] });
  }

  removeGroup(id: GroupId): void {
    this.#change({ groups: this.#content.groups.filter((group) => group !== id) });
  }

  /** Names, or ids of 64 hex digits. At most 32. @throws RangeError above that. */
  addTags(tags: readonly (UniqueId | string)[]): void {
    const ids = tags.map((tag) => UniqueId.from(tag));
    this.#change({ tags: [...new Set([...this.#content.tags, ...ids])] });
  }

  removeTags(tags: readonly (UniqueId | string)[]): void {
    const gone = new Set(tags.map((tag) => UniqueId.from(tag)));
    this.#change({ tags: this.#content.tags.filter((tag) => !gone.has(tag)) });
  }

  /** Presents a ticket. At most 8 of 4 KiB, and 16 KiB for the whole entry. @throws RangeError above that. */
  addTicket(ticket: Ticket): void {
    if (ticket.data.length > 4096) {
      throw new RangeError(`a ticket has at most 4096 bytes, got ${ticket.data.length}`);
    }
    const copy = { ticketClass: ticket.ticketClass, data: Uint8Array.from(ticket.data) };
    this.#change({ tickets: [...this.#content.tickets, copy] });
  }

  /** Withdraws every ticket of a class. */
  removeTickets(ticketClass: UniqueId): void {
    this.#change({ tickets: this.#content.tickets.filter((ticket) => ticket.ticketClass !== ticketClass) });
  }

  /** Replaces the addresses that others are told, `"host:port"`. At most 8. @throws RangeError above that, TypeError. */
  setAddresses(addresses: readonly string[]): void {
    this.#change({ addresses: addresses.map((address) => parseBootstrap(address).address) });
  }

  /** The next thing that the others hear is that this peer leaves: whatever changes until then is not worth an entry. */
  prepareClose(): void {
    this.#silent = true;
  }

  /** Tells the neighbours that this peer leaves, saves the peer book, ends all connections. Bounded; idempotent. */
  close(): Promise<void> {
    this.#leaving = true;
    // Not at once: a listener of the last entry may call this again.
    this.#closing ??= Promise.resolve().then(() => this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { clock, closeTimeoutMs } = this.#options;
    this.#conflictTimer?.cancel();
    this.#sources.abort();
    this.#publish(this.#sign(this.#content, true));
    const finished = Promise.all([this.#driver.close(closeTimeoutMs), this.#book.close()]);
    await new Promise<void>((resolve) => {
      const timer = clock.schedule(closeTimeoutMs, resolve);
      const done = () => {
        timer.cancel();
        resolve();
      };
      finished.then(done, done);
    });
    this.#subscribers.clear();
    this.#listeners.clear();
    this.#local.close(new DiscoveryError('closed', 'discovery is closed'));
  }

  #change(change: Partial<LocalContent>): void {
    if (this.#leaving || this.#silent) return;
    const content = { ...this.#content, ...change };
    assertContent(content);
    const signed = this.#sign(content);
    const size = SignedPeerEntry.encode(signed).length;
    if (size > MAX_PEER_ENTRY_BYTES - VERSION_ROOM_BYTES) {
      throw new RangeError(
        `a signed entry has at most ${MAX_PEER_ENTRY_BYTES} bytes, this one would have ${size}`,
      );
    }
    this.#content = content;
    this.#announce(signed);
  }

  #refresh(): void {
    if (!this.#leaving && !this.#silent) this.#announce(this.#sign(this.#content));
  }

  #announce(signed: SignedPeerEntry): void {
    this.#publish(signed);
    this.#driver.gossip({ type: 'announce', entry: signed });
  }

  #publish(signed: SignedPeerEntry): void {
    this.#call((entry) => this.#local.set(entry), signed);
  }

  #sign(content: LocalContent, departed = false): SignedPeerEntry {
    const { secretKey, networkId, clock } = this.#options;
    const version = this.#version.next(clock.wallMs());
    return signEntry(
      createLocalEntry({ peerId: secretKey.id, networkId, departed }, content, version),
      secretKey,
    );
  }

  #ingest(
    signed: SignedPeerEntry,
    fromSubject: boolean,
    link: number | undefined,
    vouched = false,
  ): 'accepted' | 'refused' | 'hostile' {
    const { clock, logger } = this.#options;
    const [nowMs, wallMs] = [clock.nowMs(), clock.wallMs()];
    const verdict = this.#catalog.insert(signed, { nowMs, wallMs, fromSubject, vouched });
    switch (verdict.type) {
      case 'accepted':
        this.#handleAccepted(verdict.entry, verdict.previous, fromSubject, link);
        if (verdict.evicted) this.#handleForgotten(verdict.evicted);
        return 'accepted';
      case 'own':
        return this.#handleOwn(signed);
      case 'invalid':
      case 'different-network':
        logger.warn({ peer: signed.entry.peerId, verdict: verdict.type }, 'refused an entry');
        return 'hostile';
      case 'drift':
        logger.debug(
          { peer: signed.entry.peerId, offsetMs: signed.entry.version.updateMs - wallMs },
          'refused an entry from the future',
        );
        return 'refused';
      case 'full':
      case 'stale':
        return 'refused';
    }
  }

  #handleAccepted(
    signed: SignedPeerEntry,
    previous: SignedPeerEntry | undefined,
    fromSubject: boolean,
    link: number | undefined,
  ): void {
    const { entry } = signed;
    const { clock, logger, maxTimeDriftMs } = this.#options;
    const offsetMs = entry.version.updateMs - clock.wallMs();
    if (
      fromSubject &&
      offsetMs > maxTimeDriftMs &&
      previous?.entry.version.startMs !== entry.version.startMs
    ) {
      logger.warn(
        { peer: entry.peerId, offsetMs },
        'the clock of this peer is ahead; others may not hear of it',
      );
    }
    if (this.#catalog.isContacted(entry.peerId)) {
      this.#driver.contacts({ type: 'remember', entry: signed });
      if (!previous || !sameContent(previous.entry, entry)) this.#book.touch();
    }
    this.#driver.gossip({ type: 'accepted', entry: signed, link });
    for (const listener of [...this.#subscribers]) this.#call(listener, signed);
    this.#emitChange(entry, previous?.entry);
    this.#gaugeSize();
  }

  #handleFound(text: string): void {
    try {
      const { address, peerId } = parseBootstrap(text);
      this.#driver.contacts({ type: 'found', address, expect: peerId });
    } catch (error) {
      this.#options.logger.debug({ error: (error as Error).message }, 'a source named a malformed address');
    }
  }

  #handleContacted(peer: PeerId): void {
    const isNew = !this.#catalog.isContacted(peer);
    this.#catalog.contact(peer, this.#options.clock.nowMs());
    const entry = this.#catalog.entry(peer);
    if (!entry || !isNew) return;
    this.#driver.contacts({ type: 'remember', entry });
    this.#book.touch();
  }

  #emitChange(entry: PeerEntry, previous: PeerEntry | undefined): void {
    const wasThere = previous !== undefined && !previous.departed;
    if (entry.departed) {
      if (wasThere) this.#emit('peer:departed', entry);
    } else if (!wasThere) this.#emit('peer:discovered', entry);
    else if (!sameContent(previous, entry)) this.#emit('peer:updated', entry);
  }

  /** Somebody holds an entry of this identity: from an earlier run whose clock was ahead, or from a twin. */
  #handleOwn(signed: SignedPeerEntry): 'refused' | 'hostile' {
    const held: CatalogDigestEntry = this.#local.value.entry;
    if (comparePeerEntryVersions(signed.entry.version, held.version) <= 0) return 'refused';
    if (!verifyEntry(signed)) return 'hostile';
    if (this.#leaving) return 'refused';
    const { clock, logger } = this.#options;
    this.#version.observe(signed.entry.version);
    const waitMs = this.#conflictAtMs + CONFLICT_PERIOD_MS - clock.nowMs();
    logger.warn(
      { version: signed.entry.version },
      'met the own identity at a higher version: signing above it',
    );
    if (this.#conflictTimer) return 'refused';
    const resign = () => {
      this.#conflictTimer = undefined;
      logger.warn(
        { seen: signed.entry.version },
        'met the own identity at a higher version: signing above it',
      );
      this.#conflictAtMs = clock.nowMs();
      this.#refresh();
      this.#book.touch();
    };
    if (waitMs <= 0) resign();
    else {
      this.#conflictTimer = clock.schedule(waitMs, resign);
    }
    return 'refused';
  }

  #purge(): void {
    for (const entry of this.#catalog.purge(this.#options.clock.nowMs())) this.#handleForgotten(entry);
    this.#gaugeSize();
  }

  #handleForgotten({ entry }: SignedPeerEntry): void {
    if (!entry.departed) this.#emit('peer:departed', entry);
  }

  #gaugeSize(): void {
    const { metrics, networkId } = this.#options;
    metrics.gauge('mosaik.discovery.catalog.size', this.#catalog.size, { network: networkId });
  }

  #emit(event: DiscoveryEvent, entry: PeerEntry): void {
    const { metrics, networkId } = this.#options;
    metrics.count(`mosaik.discovery.peers.${event.slice('peer:'.length)}`, { network: networkId });
    for (const listener of [...(this.#listeners.get(event) ?? [])]) this.#call(listener, entry);
  }

  /** A listener's error is the listener's. */
  #call<T>(listener: (value: T) => void, value: T): void {
    try {
      listener(value);
    } catch (error) {
      this.#options.logger.error({ error }, 'a listener of discovery threw');
    }
  }
}

async function loadBook({ peerBook, networkId, logger }: ResolvedInit): Promise<SignedPeerEntry[]> {
  try {
    const entries = (await peerBook?.load()) ?? [];
    return entries.filter((entry) => entry.entry.networkId === networkId && verifyEntry(entry));
  } catch (error) {
    logger.warn({ error: (error as Error).message }, 'the peer book is unreadable: starting without');
    return [];
  }
}

function assertContent(content: LocalContent): void {
  for (const [name, max] of Object.entries(LIMITS) as [keyof LocalContent, number][]) {
    if (content[name].length > max) {
      throw new RangeError(`an entry has at most ${max} ${name}, got ${content[name].length}`);
    }
  }
}
