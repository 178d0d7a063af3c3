import { tuple, variants } from '../codec/composites.ts';
import { bytes, id } from '../codec/primitives.ts';
import type { Infer } from '../codec/schema.ts';
import type { BondId, PeerId } from '../ids.ts';
import { SignedPeerEntry } from './peer-entry.ts';

/** Largest frame of a bond's control link. */
export const MAX_CONTROL_FRAME_BYTES = 64 * 1024;

/** Largest Raft message that a frame of the control link holds, beside its variant and its length prefix. */
export const MAX_CONTROL_RAFT_BYTES = MAX_CONTROL_FRAME_BYTES - 4;

/** Everything that a bond's control link carries once the handshake is done. Variants are only ever appended. */
export const BondMessage = variants('BondMessage', {
  /** Heartbeat probe. */
  Ping: null,
  /** Heartbeat response. */
  Pong: null,
  /** Graceful shutdown. */
  Departure: null,
  /** Discovery information changed. */
  PeerEntryUpdate: SignedPeerEntry,
  /** The sender has this bond with this peer. */
  BondFormed: tuple(id<BondId>(), id<PeerId>()),
  /** A Raft message, opaque here. */
  Raft: bytes({ max: MAX_CONTROL_RAFT_BYTES }),
  /** The sender no longer has this bond with this peer. */
  BondLost: tuple(id<BondId>(), id<PeerId>()),
});
export type BondMessage = Infer<typeof BondMessage>;
