import { orderedSet, struct, vec } from '../codec/composites.ts';
import { bool, bytes, fixedBytes, id, safeU64, str, u16 } from '../codec/primitives.ts';
import type { Infer } from '../codec/schema.ts';
import type { GroupId, NetworkId, PeerId, UniqueId } from '../ids.ts';

/** Largest encoded `SignedPeerEntry`. */
export const MAX_PEER_ENTRY_BYTES = 16 * 1024;

/** The version of the discovery protocol that an entry speaks. */
export const PROTOCOL_VERSION = 1;

export const Ticket = struct(
  'Ticket',
  {
    /** Which kind of validator understands `data`. */
    ticketClass: id<UniqueId>(),
    data: bytes({ max: 4096 }),
  },
  {
    read: (reader, { ticketClass, data }) => ({
      ticketClass: ticketClass.read(reader),
      data: data.read(reader),
    }),
  },
);
export type Ticket = Infer<typeof Ticket>;

/** Orders the entries of one peer: the later start wins, then the later update. */
export const PeerEntryVersion = struct(
  'PeerEntryVersion',
  {
    /** When the peer's process started, ms since the epoch, above every version that it used before. */
    startMs: safeU64,
    /** When the entry last changed, ms since the epoch. */
    updateMs: safeU64,
  },
  {
    read: (reader, { startMs, updateMs }) => ({
      startMs: startMs.read(reader),
      updateMs: updateMs.read(reader),
    }),
  },
);
export type PeerEntryVersion = Infer<typeof PeerEntryVersion>;

/** What a peer says of itself. Sets are ordered, so equal entries have equal bytes. */
export const PeerEntry = struct(
  'PeerEntry',
  {
    peerId: id<PeerId>(),
    protocolVersion: u16,
    networkId: id<NetworkId>(),
    version: PeerEntryVersion,
    /** `"host:port"`, in the order to try them. */
    addresses: vec(str({ max: 255 }), { max: 8 }),
    tags: orderedSet(id<UniqueId>(), { max: 32 }),
    groups: orderedSet(id<GroupId>(), { max: 64 }),
    tickets: vec(Ticket, { max: 8 }),
    /** True in the last entry of a peer that left. */
    departed: bool,
  },
  {
    read: (reader, fields) => ({
      peerId: fields.peerId.read(reader),
      protocolVersion: fields.protocolVersion.read(reader),
      networkId: fields.networkId.read(reader),
      version: fields.version.read(reader),
      addresses: fields.addresses.read(reader),
      tags: fields.tags.read(reader),
      groups: fields.groups.read(reader),
      tickets: fields.tickets.read(reader),
      departed: fields.departed.read(reader),
    }),
  },
);
export type PeerEntry = Infer<typeof PeerEntry>;

/** An entry with its subject's Ed25519 signature over the entry's postcard bytes (see `signedBytes`). */
export const SignedPeerEntry = struct(
  'SignedPeerEntry',
  { entry: PeerEntry, signature: fixedBytes(64) },
  {
    read: (reader, { entry, signature }) => ({
      entry: entry.read(reader),
      signature: signature.read(reader),
    }),
  },
);
export type SignedPeerEntry = Infer<typeof SignedPeerEntry>;

/** Positive when `a` is newer than `b`, negative when older, 0 when equal. */
export function comparePeerEntryVersions(a: PeerEntryVersion, b: PeerEntryVersion): number {
  return a.startMs - b.startMs || a.updateMs - b.updateMs;
}
