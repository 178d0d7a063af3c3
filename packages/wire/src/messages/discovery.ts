import { struct, variants, vec } from '../codec/composites.ts';
import { bool, id } from '../codec/primitives.ts';
import type { Infer } from '../codec/schema.ts';
import type { NetworkId, PeerId } from '../ids.ts';
import { PeerEntryVersion, SignedPeerEntry } from './peer-entry.ts';

/** Most peers that one catalog digest names, and so the largest catalog. */
export const MAX_CATALOG_SIZE = 16_384;

/** Largest frame of a sync before the network id was checked. */
export const MAX_SYNC_START_BYTES = 1024;

/** Largest frame of a sync after that: a digest of `MAX_CATALOG_SIZE` peers. */
export const MAX_SYNC_FRAME_BYTES = 1024 * 1024;

/** Most bytes of entries that one side sends in one sync; what is left waits for the next. */
export const MAX_SYNC_ENTRIES_BYTES = 4 * 1024 * 1024;

/** Largest frame of an announce link. */
export const MAX_ANNOUNCE_FRAME_BYTES = 64 * 1024;

/** Which version of whose entry a catalog holds. */
export const CatalogDigestEntry = struct('CatalogDigestEntry', {
  peerId: id<PeerId>(),
  version: PeerEntryVersion,
});
export type CatalogDigestEntry = Infer<typeof CatalogDigestEntry>;

/**
 * Everything that a link of `/mosaik/discovery/sync/1.0` carries. Variants are only ever appended.
 *
 * The dialler sends `Start`, the acceptor `Digest`, the dialler `Request`; then each sends `Entries` until `last`,
 * the acceptor's `last` only after the dialler's, so that whoever receives it knows that its own entries arrived.
 */
export const SyncMessage = variants('SyncMessage', {
  /** Nothing of a catalog is shown to another network. */
  Start: { networkId: id<NetworkId>() },
  /** What the acceptor has. */
  Digest: { networkId: id<NetworkId>(), versions: vec(CatalogDigestEntry, { max: MAX_CATALOG_SIZE + 2 }) },
  /** Whose entries the dialler lacks, or has in an older version. */
  Request: { peers: vec(id<PeerId>(), { max: MAX_CATALOG_SIZE + 2 }) },
  Entries: { entries: vec(SignedPeerEntry, { max: 4096 }), last: bool },
});
export type SyncMessage = Infer<typeof SyncMessage>;

/** Everything that a link of `/mosaik/discovery/announce/1.0` carries. Variants are only ever appended. */
export const AnnounceMessage = variants('AnnounceMessage', {
  /** First in each direction, the dialler's before the acceptor's. */
  Hello: { networkId: id<NetworkId>() },
  /** A version that is new to the sender. */
  Entry: SignedPeerEntry,
});
export type AnnounceMessage = Infer<typeof AnnounceMessage>;
