import {
  Catalog,
  Contacts,
  type ContactsDial,
  createLocalEntry,
  Gossip,
  type GossipEffect,
  LocalVersion,
  SyncExchange,
} from '@mosaik/discovery/testing';
import {
  CloseCode,
  comparePeerEntryVersions,
  type GroupId,
  type NetworkId,
  type PeerId,
  type SignedPeerEntry,
} from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import type { PipeEnd } from './pipes.ts';

const ANNOUNCE_MS = 15_000;
const PURGE_AFTER_MS = 300_000;
const SYNC_EVERY_MS = 60_000;
const EXCHANGE_TIMEOUT_MS = 10_000;
/** Stands for a signature: that entries are what their subjects said is not in question here. */
const SIGNATURE = new Uint8Array(64);

export interface DiscoveryPorts {
  readonly localId: PeerId;
  readonly networkId: NetworkId;
  readonly groupId: GroupId;
  readonly address: string;
  readonly rng: Rng;
  nowMs(): number;
  wallMs(): number;
  /** Local time. */
  after(delayMs: number, run: () => void): void;
  dial(kind: 'sync' | 'announce', address: string, done: (end: PipeEnd | undefined) => void): void;
  peerAt(index: number): PeerId;
  /** A newer entry of somebody. */
  onEntry(entry: SignedPeerEntry): void;
  /** The own entry was signed anew. */
  onLocalEntry(entry: SignedPeerEntry): void;
}

/** The cores of discovery, driven without promises: catalog, gossip, contacts, catalog exchanges. */
export class SimDiscovery {
  readonly #ports: DiscoveryPorts;
  readonly #catalog: Catalog;
  readonly #gossip: Gossip;
  readonly #contacts: Contacts;
  readonly #version: LocalVersion;
  readonly #links = new Map<number, PipeEnd>();
  local: SignedPeerEntry;
  #nextLink = 1;
  #syncAtMs: number;
  #armedMs = Number.POSITIVE_INFINITY;
  #running = false;
  #ended = false;

  constructor(ports: DiscoveryPorts, bootstrap: readonly string[]) {
    this.#ports = ports;
    const { localId, networkId, rng } = ports;
    const nowMs = ports.nowMs();
    this.#version = new LocalVersion(ports.wallMs());
    this.local = this.#sign(false);
    this.#catalog = new Catalog({
      localId,
      networkId,
      verify: () => true,
      maxSize: 64,
      purgeAfterMs: PURGE_AFTER_MS,
      maxTimeDriftMs: 50_000,
    });
    this.#gossip = new Gossip(
      {
        localId,
        rng,
        candidates: (now) => this.#catalog.alive(now, PURGE_AFTER_MS),
        announceIntervalMs: ANNOUNCE_MS,
        announceJitterMs: ANNOUNCE_MS / 3,
        maxNeighbours: 5,
      },
      this.local,
      nowMs,
    );
    this.#contacts = new Contacts({
      rng,
      localId,
      isAlive: (peer, now) => this.#catalog.isAlive(peer, now, 4 * ANNOUNCE_MS),
      maxRemembered: 63,
      maxConcurrent: 8,
    });
    this.#syncAtMs = nowMs + SYNC_EVERY_MS * (0.5 + rng.float());
    for (const address of bootstrap)
      this.#contacts.handle({ type: 'bootstrap', address, expect: undefined }, nowMs);
    this.#run();
  }

  entry(peer: PeerId): SignedPeerEntry | undefined {
    return this.#catalog.entry(peer);
  }

  entries(): SignedPeerEntry[] {
    return [...this.#catalog.entries()].filter(({ entry }) => !entry.departed);
  }

  /** An entry that a proven member sent. */
  feed(entry: SignedPeerEntry, fromSubject: boolean): void {
    this.#ingest(entry, fromSubject, undefined, true);
  }

  /** One catalog exchange; `done` with whether it succeeded. */
  sync(address: string, done: (peer: PeerId | undefined) => void): void {
    this.#ports.dial('sync', address, (end) => {
      if (end) this.#exchange(end, true, done);
      else done(undefined);
    });
  }

  accept(end: PipeEnd): void {
    if (end.kind === 'sync') this.#exchange(end, false, () => {});
    else this.#openLink(end);
  }

  /** The last entry says that this one is gone. */
  leave(): void {
    this.local = this.#sign(true);
    for (const end of this.#links.values()) {
      end.send(this.local);
      end.close(CloseCode.GracefulShutdown);
    }
    this.#ended = true;
  }

  #sign(departed: boolean): SignedPeerEntry {
    const { localId, networkId, groupId, address, wallMs } = this.#ports;
    const content = { addresses: [address], tags: [], groups: [groupId], tickets: [] };
    const version = this.#version.next(wallMs());
    return {
      entry: createLocalEntry({ peerId: localId, networkId, departed }, content, version),
      signature: SIGNATURE,
    };
  }

  #ingest(signed: SignedPeerEntry, fromSubject: boolean, link: number | undefined, vouched = false): void {
    const nowMs = this.#ports.nowMs();
    const verdict = this.#catalog.insert(signed, {
      nowMs,
      wallMs: this.#ports.wallMs(),
      fromSubject,
      vouched,
    });
    if (verdict.type === 'own') {
      if (this.#ended || comparePeerEntryVersions(signed.entry.version, this.local.entry.version) <= 0)
        return;
      this.#version.observe(signed.entry.version);
      this.#refresh();
    }
    if (verdict.type !== 'accepted') return;
    const { entry } = verdict;
    if (this.#catalog.isContacted(entry.entry.peerId))
      this.#contacts.handle({ type: 'remember', entry }, nowMs);
    this.#gossip.handle({ type: 'accepted', entry, link }, nowMs);
    this.#ports.onEntry(entry);
    this.#run();
  }

  #refresh(): void {
    this.local = this.#sign(false);
    this.#ports.onLocalEntry(this.local);
    this.#gossip.handle({ type: 'announce', entry: this.local }, this.#ports.nowMs());
    this.#run();
  }

  #contacted(peer: PeerId): void {
    const nowMs = this.#ports.nowMs();
    const isNew = !this.#catalog.isContacted(peer);
    this.#catalog.contact(peer, nowMs);
    const entry = this.#catalog.entry(peer);
    if (entry && isNew) this.#contacts.handle({ type: 'remember', entry }, nowMs);
    this.#run();
  }

  #exchange(end: PipeEnd, initiator: boolean, done: (peer: PeerId | undefined) => void): void {
    const { localId, networkId, after, peerAt } = this.#ports;
    const remote = peerAt(end.remote);
    let settled = false;
    const settle = (peer: PeerId | undefined) => {
      if (settled) return;
      settled = true;
      if (peer !== undefined) this.#contacted(peer);
      done(peer);
    };
    const core = new SyncExchange({
      initiator,
      networkId,
      view: {
        digest: () => [
          { peerId: localId, version: this.local.entry.version },
          ...this.#catalog.digest(remote),
        ],
        entry: (peer) => (peer === localId ? this.local : this.#catalog.entryFor(remote, peer)),
        lacks: (item) =>
          item.peerId === localId
            ? comparePeerEntryVersions(item.version, this.local.entry.version) > 0
            : this.#catalog.lacks(item),
      },
    });
    const pump = () => {
      for (let effects = core.drain(); effects.length > 0; effects = core.drain()) {
        for (const effect of effects) {
          if (effect.type === 'send') {
            end.send(effect.frame);
            core.handle({ type: 'sent' });
          } else if (effect.type === 'received')
            this.#ingest(effect.entry, effect.entry.entry.peerId === remote, undefined);
          else if (effect.type === 'completed') settle(remote);
          else if (effect.type === 'close') end.close(effect.code);
        }
      }
    };
    end.onFrame = (frame) => {
      core.handle({ type: 'frame', frame: frame as Uint8Array });
      pump();
    };
    end.onClosed = () => settle(undefined);
    after(EXCHANGE_TIMEOUT_MS, () => {
      if (!settled) end.close(CloseCode.Timeout);
      settle(undefined);
    });
    core.handle({ type: 'opened' });
    pump();
  }

  #openLink(end: PipeEnd): void {
    const peer = this.#ports.peerAt(end.remote);
    const link = this.#nextLink++;
    this.#links.set(link, end);
    end.onFrame = (frame) => {
      const entry = frame as SignedPeerEntry;
      this.#ingest(entry, entry.entry.peerId === peer, link);
    };
    const closed = (code: number) => {
      if (!this.#links.delete(link)) return;
      this.#gossip.handle({ type: 'link-closed', link }, this.#ports.nowMs());
      if (code !== CloseCode.Success) this.#contacts.handle({ type: 'lost', peer }, this.#ports.nowMs());
      this.#run();
    };
    end.onClosed = closed;
    this.#gossip.handle({ type: 'link-opened', link, peer, initiator: end.initiator }, this.#ports.nowMs());
    if (end.initiator) this.#syncSoon(peer);
    this.#run();
  }

  #syncSoon(peer: PeerId): void {
    const addresses = this.#catalog.entry(peer)?.entry.addresses ?? [];
    this.#contacts.handle({ type: 'sync', peer, addresses }, this.#ports.nowMs());
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    for (;;) {
      const effects = [...this.#gossip.drain(), ...this.#contacts.drain()];
      if (effects.length === 0) break;
      for (const effect of effects) this.#execute(effect);
    }
    this.#running = false;
    this.#arm();
  }

  #execute(effect: GossipEffect | ContactsDial): void {
    if (this.#ended) return;
    switch (effect.type) {
      case 'send':
        this.#links.get(effect.link)?.send(effect.entry);
        return;
      case 'close': {
        const end = this.#links.get(effect.link);
        end?.close(effect.code);
        end?.onClosed(effect.code);
        return;
      }
      case 'refresh':
        this.#refresh();
        return;
      case 'dial':
        if ('target' in effect) this.#dialContact(effect);
        else this.#dialNeighbour(effect.peer);
    }
  }

  #dialContact({ target, addresses: [address = ''], expect }: ContactsDial): void {
    this.sync(address, (peer) => {
      const found = peer !== undefined && (expect === undefined || expect === peer);
      this.#contacts.handle(
        found ? { type: 'succeeded', target, peer } : { type: 'failed', target },
        this.#ports.nowMs(),
      );
      this.#run();
    });
  }

  #dialNeighbour(peer: PeerId): void {
    const [address = ''] = this.#catalog.entry(peer)?.entry.addresses ?? [];
    this.#ports.dial('announce', address, (end) => {
      if (end) {
        this.#openLink(end);
        return;
      }
      const nowMs = this.#ports.nowMs();
      this.#contacts.handle({ type: 'lost', peer }, nowMs);
      this.#gossip.handle({ type: 'dial-failed', peer }, nowMs);
      this.#run();
    });
  }

  #arm(): void {
    const dueMs = Math.min(
      this.#gossip.nextDeadlineMs(),
      this.#contacts.nextDeadlineMs() ?? Number.POSITIVE_INFINITY,
      this.#syncAtMs,
    );
    if (dueMs >= this.#armedMs) return;
    this.#armedMs = dueMs;
    this.#ports.after(Math.max(0, dueMs - this.#ports.nowMs()), () => {
      if (this.#armedMs !== dueMs || this.#ended) return;
      this.#armedMs = Number.POSITIVE_INFINITY;
      this.#tick();
    });
  }

  #tick(): void {
    const nowMs = this.#ports.nowMs();
    if (nowMs >= this.#syncAtMs) {
      const { rng } = this.#ports;
      this.#syncAtMs = nowMs + SYNC_EVERY_MS * (0.5 + rng.float());
      const peers = [...this.#catalog.alive(nowMs, PURGE_AFTER_MS)].sort();
      const peer = peers[Math.floor(rng.float() * peers.length)];
      if (peer !== undefined) this.#syncSoon(peer);
    }
    this.#gossip.handle({ type: 'tick' }, nowMs);
    this.#contacts.handle({ type: 'tick' }, nowMs);
    this.#run();
  }
}
