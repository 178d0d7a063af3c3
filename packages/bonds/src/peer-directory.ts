import type { PeerId, SignedPeerEntry } from '@mosaik/wire';
import type { Watch } from '@mosaik/wire/runtime';

/** What bonds need of discovery: who is there, and a way to exchange that with one peer. */
export interface PeerDirectory {
  /** This node's own entry, signed anew on each change. */
  readonly local: Watch<SignedPeerEntry>;
  /** The newest entry known of a peer. */
  entry(peer: PeerId): SignedPeerEntry | undefined;
  entries(): Iterable<SignedPeerEntry>;
  /**
   * Takes an entry in after checking signature, network and size. False when it was refused or is not newer.
   * `fromSubject`: it came over a connection that has authenticated the entry's own subject.
   * `vouched`: a proven member of the group sent it, so how far its clock is ahead does not matter.
   */
  feed(entry: SignedPeerEntry, options?: { fromSubject?: boolean; vouched?: boolean }): boolean;
  /** Calls `listener` with every newly accepted version of any peer's entry, departures too, until told to stop. */
  subscribe(listener: (entry: SignedPeerEntry) => void): () => void;
  /** Exchanges catalogs, the own newest entry included, with the peer at `address`. */
  syncWith(
    address: string,
    options?: { expect?: PeerId | undefined; signal?: AbortSignal | undefined },
  ): Promise<void>;
}
