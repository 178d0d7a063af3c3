/**
 * `@mosaik/network`: a mosaik node in one call. Wires transport, discovery and groups together, and re-exports what
 * the quick start needs.
 */

export { Discovery, type PeerBook, parseBootstrap } from '@mosaik/discovery';
export {
  consensus,
  Group,
  type GroupBonds,
  GroupError,
  type GroupErrorCode,
  Groups,
  keyValue,
  noOp,
  type Preference,
  type RaftStatus,
  type StateMachine,
} from '@mosaik/groups';
export { type Expiration, GroupKey, InvalidTicket, type TicketValidator } from '@mosaik/handshake';
export { SecretKey, TransportError } from '@mosaik/transport';
export { type GroupId, type NetworkId, type PeerId, UniqueId } from '@mosaik/wire';
export { Network, type NetworkInit } from './network.ts';
