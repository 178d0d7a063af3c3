/**
 * `@mosaik/wire`: every byte that crosses the network, and the names of things.
 *
 * Schemas are `Codec`s in the postcard wire format (https://postcard.jamesmunns.com/wire-format), strict in both
 * directions; ids are branded hex strings; close codes say why a connection ended.
 */
export { Alpn } from './alpn.ts';
export { CloseCode, type CloseCodeName, describeCloseCode } from './close-codes.ts';
export {
  type Fields,
  type InferFields,
  map,
  option,
  orderedSet,
  struct,
  tuple,
  variants,
  vec,
} from './codec/composites.ts';
export { f32, f64, i8, i16, i32, i64, i128 } from './codec/numbers.ts';
export {
  bool,
  bytes,
  char,
  fixedBytes,
  id,
  safeU64,
  str,
  u8,
  u16,
  u32,
  u64,
  u128,
  unit,
} from './codec/primitives.ts';
export { Reader } from './codec/reader.ts';
export { type Codec, type Infer, type Schema, schema, type Writer } from './codec/schema.ts';
export { createDigester, type Digester } from './digest.ts';
export { WireError, type WireErrorCode } from './error.ts';
export {
  type BondId,
  derive,
  type GroupId,
  hashed,
  type Id,
  idBytes,
  idFromBytes,
  isId,
  type NetworkId,
  type PeerId,
  parseId,
  UniqueId,
} from './ids.ts';
export { BondMessage, MAX_CONTROL_FRAME_BYTES, MAX_CONTROL_RAFT_BYTES } from './messages/bond.ts';
export { ConsensusConfig, consensusDigest, QuorumConfig } from './messages/consensus-config.ts';
export {
  AnnounceMessage,
  CatalogDigestEntry,
  MAX_ANNOUNCE_FRAME_BYTES,
  MAX_CATALOG_SIZE,
  MAX_SYNC_ENTRIES_BYTES,
  MAX_SYNC_FRAME_BYTES,
  MAX_SYNC_START_BYTES,
  SyncMessage,
} from './messages/discovery.ts';
export { HandshakeEnd, HandshakeStart, MAX_HANDSHAKE_BONDS_BYTES } from './messages/handshake.ts';
export {
  comparePeerEntryVersions,
  MAX_PEER_ENTRY_BYTES,
  PeerEntry,
  PeerEntryVersion,
  PROTOCOL_VERSION,
  SignedPeerEntry,
  Ticket,
} from './messages/peer-entry.ts';
export {
  MAX_SYNC_CHUNK_BYTES,
  type RaftBody,
  RaftMessage,
  RaftRequest,
  SnapshotOffer,
} from './messages/raft.ts';
export {
  type CommandEntry,
  LogEntry,
  MAX_RAFT_RUNS,
  MAX_RAFT_SIDES,
  type OpeningEntry,
  RaftEpoch,
  RaftMember,
  RaftRun,
  type SessionEntry,
  SnapshotEnvelope,
  type ViewEntry,
} from './messages/raft-log.ts';
