import type { PeerId } from '@mosaik/wire';
import type { BondDescription, NodeStatus } from '../http/node-status.ts';

/** One row of the dashboard. */
export interface MemberRow {
  readonly peerId: PeerId;
  readonly isLeader: boolean;
  /** The node that serves this page. */
  readonly isSelf: boolean;
  /** Whether it counts for elections and commits. */
  readonly counts: boolean;
  /** The serving node's bond with it. */
  readonly bond: BondDescription | undefined;
}

/** Everyone of the group that the node knows of, in an order that does not jump: by id. */
export function listMembers(status: NodeStatus): MemberRow[] {
  const peers = new Set<PeerId>([status.peerId, ...status.members, ...status.topology.flat()]);
  if (status.leader !== null) peers.add(status.leader);
  for (const { peerId } of status.bonds) peers.add(peerId);
  return [...peers].sort().map((peerId) => ({
    peerId,
    isLeader: peerId === status.leader,
    isSelf: peerId === status.peerId,
    counts: status.members.includes(peerId),
    bond: status.bonds.find((bond) => bond.peerId === peerId),
  }));
}
