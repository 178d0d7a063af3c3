import { type SecretKey, verifySignature } from '@mosaik/transport';
import {
  comparePeerEntryVersions,
  type GroupId,
  type NetworkId,
  PeerEntry,
  type PeerId,
  type SignedPeerEntry,
} from '@mosaik/wire';
import { WatchCell } from '@mosaik/wire/runtime';
import type { PeerDirectory } from '../peer-directory.ts';

/** Directories by address, so that `syncWith` reaches one without a network. */
export type TestDirectories = Map<string, TestDirectory>;

export interface TestDirectoryInit {
  secretKey: SecretKey;
  networkId: NetworkId;
  addresses: readonly string[];
  groups?: readonly GroupId[];
  /** Where this one can be reached, and others be. */
  directories: TestDirectories;
}

/** A `PeerDirectory` without discovery: it knows what it is fed, and whom it exchanged with. */
export class TestDirectory implements PeerDirectory {
  readonly local: WatchCell<SignedPeerEntry>;
  /** How often `syncWith` was called. */
  syncs = 0;
  /** Entries from later than this are refused, as if from the future, unless their subject or a member sent them. */
  latestMs = Number.POSITIVE_INFINITY;
  readonly #init: TestDirectoryInit;
  readonly #entries = new Map<PeerId, SignedPeerEntry>();
  readonly #listeners = new Set<(entry: SignedPeerEntry) => void>();

  constructor(init: TestDirectoryInit) {
    this.#init = init;
    this.local = new WatchCell(
      this.#sign({
        peerId: init.secretKey.id,
        protocolVersion: 1,
        networkId: init.networkId,
        version: { startMs: 1, updateMs: 1 },
        addresses: [...init.addresses],
        tags: [],
        groups: [...(init.groups ?? [])],
        tickets: [],
        departed: false,
      }),
    );
    for (const address of init.addresses) init.directories.set(address, this);
  }

  /** Signs a newer version of the own entry. */
  update(changes: Partial<Omit<PeerEntry, 'peerId'>> = {}): SignedPeerEntry {
    const { entry } = this.local.value;
    const version = { ...entry.version, updateMs: entry.version.updateMs + 1 };
    this.local.set(this.#sign({ ...entry, version, ...changes }));
    return this.local.value;
  }

  entry(peer: PeerId): SignedPeerEntry | undefined {
    return this.#entries.get(peer);
  }

  entries(): Iterable<SignedPeerEntry> {
    return this.#entries.values();
  }

  feed(signed: SignedPeerEntry, options: { fromSubject?: boolean; vouched?: boolean } = {}): boolean {
    const { entry, signature } = signed;
    if (entry.version.updateMs > this.latestMs && !options.fromSubject && !options.vouched) return false;
    const known = this.#entries.get(entry.peerId);
    if (entry.networkId !== this.#init.networkId || entry.peerId === this.#init.secretKey.id) return false;
    if (known && comparePeerEntryVersions(entry.version, known.entry.version) <= 0) return false;
    if (!verifySignature(entry.peerId, PeerEntry.encode(entry), signature)) return false;
    this.#entries.set(entry.peerId, signed);
    for (const listener of [...this.#listeners]) listener(signed);
    return true;
  }

  /** As if the entry had been silent for too long. */
  purge(peer: PeerId): void {
    this.#entries.delete(peer);
  }

  subscribe(listener: (entry: SignedPeerEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async syncWith(address: string): Promise<void> {
    this.syncs += 1;
    const other = this.#init.directories.get(address);
    if (!other) throw new Error(`nobody at ${address}`);
    for (const entry of this.#entries.values()) other.feed(entry);
    other.feed(this.local.value, { fromSubject: true });
    for (const entry of other.#entries.values()) this.feed(entry);
    this.feed(other.local.value, { fromSubject: true });
  }

  #sign(entry: PeerEntry): SignedPeerEntry {
    return { entry, signature: this.#init.secretKey.sign(PeerEntry.encode(entry)) };
  }
}
