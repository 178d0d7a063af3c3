import {
  type CatalogDigestEntry,
  comparePeerEntryVersions,
  type NetworkId,
  type PeerId,
  SignedPeerEntry,
} from '@mosaik/wire';

export interface CatalogInit {
  readonly localId: PeerId;
  readonly networkId: NetworkId;
  /** Signature and size; called last, because it is the expensive check. */
  readonly verify: (entry: SignedPeerEntry) => boolean;
  readonly maxSize: number;
  readonly purgeAfterMs: number;
  readonly maxTimeDriftMs: number;
}

export interface InsertOptions {
  /** Monotonic. */
  readonly nowMs: number;
  readonly wallMs: number;
  /** The entry came from its own subject over an authenticated channel. */
  readonly fromSubject: boolean;
  /** Who sent it is trusted not to make up versions: its subject's clock is taken as it is. */
  readonly vouched?: boolean | undefined;
}

/** What became of an entry. `invalid` and `different-network` are never relayed by an honest peer. */
export type InsertVerdict =
  | {
      readonly type: 'accepted';
      readonly entry: SignedPeerEntry;
      readonly previous: SignedPeerEntry | undefined;
      /** Who made room. */
      readonly evicted: SignedPeerEntry | undefined;
    }
  | { readonly type: 'different-network' | 'drift' | 'full' | 'invalid' | 'own' | 'stale' };

interface CatalogRecord {
  readonly entry: SignedPeerEntry;
  /** When a new version last arrived, or the subject itself was heard. */
  heardMs: number;
  /** The subject was met over an authenticated connection: such peers leave last. */
  readonly contacted: boolean;
}

interface Tombstone {
  /** Kept whole, so that a subject whose clock went back can be shown what it must exceed. */
  readonly entry: SignedPeerEntry;
  readonly untilMs: number;
}

/**
 * The newest signed entry of every other peer that was heard of lately.
 *
 * Bounded: at `maxSize` the longest silent peer that was never contacted makes room, then the longest silent one.
 * Silence is measured on local monotonic time, so no clock of another machine decides who stays.
 */
export class Catalog {
  readonly #init: CatalogInit;
  readonly #records = new Map<PeerId, CatalogRecord>();
  readonly #tombstones = new Map<PeerId, Tombstone>();

  constructor(init: CatalogInit) {
    this.#init = init;
  }

  get size(): number {
    return this.#records.size;
  }

  /** The newest entry of `peer`, also of one that departed. */
  entry(peer: PeerId): SignedPeerEntry | undefined {
    return this.#records.get(peer)?.entry;
  }

  /** The newest entries of all peers, departed ones too. */
  *entries(): Iterable<SignedPeerEntry> {
    for (const { entry } of this.#records.values()) yield entry;
  }

  /** Peers that have not departed and were heard of within `withinMs`. */
  *alive(nowMs: number, withinMs: number): Iterable<PeerId> {
    for (const [peer, record] of this.#records) {
      if (!record.entry.entry.departed && nowMs - record.heardMs <= withinMs) yield peer;
    }
  }

  isAlive(peer: PeerId, nowMs: number, withinMs: number): boolean {
    const record = this.#records.get(peer);
    return record !== undefined && !record.entry.entry.departed && nowMs - record.heardMs <= withinMs;
  }

  /** Whether `peer` was met over an authenticated connection. */
  isContacted(peer: PeerId): boolean {
    return this.#records.get(peer)?.contacted ?? false;
  }

  /** What this catalog holds; for `reader` itself also what is remembered of it after a purge. */
  digest(reader?: PeerId): CatalogDigestEntry[] {
    const digest = [...this.#records.values()].map(({ entry }) => digestOf(entry));
    const buried = reader === undefined ? undefined : this.#tombstones.get(reader);
    if (buried) digest.push(digestOf(buried.entry));
    return digest;
  }

  /** The newest entry of `peer` that may be shown to `reader`; see `digest`. */
  entryFor(reader: PeerId, peer: PeerId): SignedPeerEntry | undefined {
    return this.entry(peer) ?? (reader === peer ? this.#tombstones.get(peer)?.entry : undefined);
  }

  /** Whether an entry of `peer` at this version would be news. */
  lacks({ peerId, version }: CatalogDigestEntry): boolean {
    const held = this.#records.get(peerId)?.entry ?? this.#tombstones.get(peerId)?.entry;
    return held === undefined || comparePeerEntryVersions(version, held.entry.version) > 0;
  }

  /** Takes a newer entry in, as a copy of its own. Never throws on a peer's bytes. */
  insert(signed: SignedPeerEntry, options: InsertOptions): InsertVerdict {
    const { entry } = signed;
    const { nowMs, wallMs, fromSubject, vouched } = options;
    if (entry.peerId === this.#init.localId) return { type: 'own' };
    if (entry.networkId !== this.#init.networkId) return { type: 'different-network' };
    if (!this.lacks(entry)) {
      if (fromSubject) this.contact(entry.peerId, nowMs);
      return { type: 'stale' };
    }
    const latestMs = Math.max(entry.version.startMs, entry.version.updateMs);
    if (!fromSubject && !vouched && latestMs > wallMs + this.#init.maxTimeDriftMs) return { type: 'drift' };
    const known = this.#records.get(entry.peerId);
    const victim = known || this.#records.size < this.#init.maxSize ? undefined : this.#victim(fromSubject);
    if (victim === null) return { type: 'full' };
    if (!this.#init.verify(signed)) return { type: 'invalid' };

    const evicted = victim === undefined ? undefined : this.#records.get(victim)?.entry;
    if (victim !== undefined) this.#records.delete(victim);
    // Decoded bytes are views into a frame, encoded ones into a buffer that messages share: a copy lets both go.
    const copy = SignedPeerEntry.decode(SignedPeerEntry.encode(signed).slice());
    this.#tombstones.delete(entry.peerId);
    this.#records.set(entry.peerId, {
      entry: copy,
      heardMs: nowMs,
      contacted: fromSubject || (known?.contacted ?? false),
    });
    return { type: 'accepted', entry: copy, previous: known?.entry, evicted };
  }

  /** `peer` itself was heard over an authenticated connection. */
  contact(peer: PeerId, nowMs: number): void {
    const record = this.#records.get(peer);
    if (record) this.#records.set(peer, { ...record, heardMs: nowMs, contacted: true });
  }

  /** Removes the peers that were silent for too long, and the tombstones of those removed long ago. */
  purge(nowMs: number): SignedPeerEntry[] {
    const { purgeAfterMs, maxSize } = this.#init;
    for (const [peer, { untilMs }] of this.#tombstones) if (untilMs <= nowMs) this.#tombstones.delete(peer);
    const purged: SignedPeerEntry[] = [];
    for (const [peer, { entry, heardMs }] of this.#records) {
      if (nowMs - heardMs < purgeAfterMs) continue;
      this.#records.delete(peer);
      purged.push(entry);
      if (this.#tombstones.size >= maxSize) this.#tombstones.delete(first(this.#tombstones));
      this.#tombstones.set(peer, { entry, untilMs: nowMs + 2 * purgeAfterMs });
    }
    return purged;
  }

  /** Who makes room; `null` when a peer that is only talked about would displace one that was met. */
  #victim(fromSubject: boolean): PeerId | null {
    let victim: { peer: PeerId; record: CatalogRecord } | undefined;
    for (const [peer, record] of this.#records) {
      if (!victim || leavesBefore(record, victim.record)) victim = { peer, record };
    }
    return victim && (fromSubject || !victim.record.contacted) ? victim.peer : null;
  }
}

function leavesBefore(a: CatalogRecord, b: CatalogRecord): boolean {
  return a.contacted === b.contacted ? a.heardMs < b.heardMs : !a.contacted;
}

function digestOf({ entry }: SignedPeerEntry): CatalogDigestEntry {
  return { peerId: entry.peerId, version: entry.version };
}

function first(map: ReadonlyMap<PeerId, unknown>): PeerId {
  for (const key of map.keys()) return key;
  throw new Error('assertion failed: a full map has a first key');
}
