import { struct } from '../codec/composites.ts';
import { bytes, fixedBytes, id, u64 } from '../codec/primitives.ts';
import type { Infer } from '../codec/schema.ts';
import type { GroupId, NetworkId } from '../ids.ts';

/** Most bytes of signed entries that one side sends in a handshake, encrypted. */
export const MAX_HANDSHAKE_BONDS_BYTES = 48 * 1024;

/** First frame of a bond, from the side that dialled. */
export const HandshakeStart = struct('HandshakeStart', {
  networkId: id<NetworkId>(),
  groupId: id<GroupId>(),
  proof: fixedBytes(32),
  /** The sender's bonded peers' entries: a postcard sequence of `SignedPeerEntry`, encrypted. */
  bonds: bytes({ max: MAX_HANDSHAKE_BONDS_BYTES }),
  /** The sender's log store: another one means that it forgot. */
  incarnation: u64,
});
export type HandshakeStart = Infer<typeof HandshakeStart>;

/** The acceptor's answer, sent only when everything of the start was checked. */
export const HandshakeEnd = struct('HandshakeEnd', {
  proof: fixedBytes(32),
  bonds: bytes({ max: MAX_HANDSHAKE_BONDS_BYTES }),
  incarnation: u64,
});
export type HandshakeEnd = Infer<typeof HandshakeEnd>;
