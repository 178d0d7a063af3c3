/**
 * `@mosaik/bonds`: one authenticated, monitored connection per pair of group members, and who in the group is connected
 * to whom.
 */
export type { Bond, BondDownReason } from './bond.ts';
export { BondAcceptor } from './bond-acceptor.ts';
export { BondManager } from './bond-manager.ts';
export { Bonds, type TopologyEdge } from './bonds.ts';
export { BondError, type BondErrorCode } from './errors.ts';
export type { BondAcceptorInit, BondAdmission, BondManagerInit } from './options.ts';
export type { PeerDirectory } from './peer-directory.ts';
