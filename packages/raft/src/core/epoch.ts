import type { RaftEpoch, RaftMember } from '@mosaik/wire';

/** Whether two epochs are one; two absent ones are. */
export function sameEpoch(a: RaftEpoch | undefined, b: RaftEpoch | undefined): boolean {
  if (a === b) return true;
  return (
    a !== undefined && b !== undefined && a.nonce === b.nonce && a.term === b.term && a.leader === b.leader
  );
}

/** A total order: by term, then leader, then nonce. */
export function compareEpochs(a: RaftEpoch, b: RaftEpoch): number {
  if (a.term !== b.term) return a.term - b.term;
  if (a.leader !== b.leader) return a.leader < b.leader ? -1 : 1;
  return a.nonce === b.nonce ? 0 : a.nonce < b.nonce ? -1 : 1;
}

export function describeEpoch(epoch: RaftEpoch | undefined): string {
  if (!epoch) return 'none';
  return `${epoch.term}/${epoch.leader.slice(0, 6)}/${epoch.nonce.toString(16).slice(0, 6)}`;
}

/** Whether `peer`, remembering what that incarnation does, is in the set. */
export function isMember(members: readonly RaftMember[], peer: string, incarnation: bigint): boolean {
  for (const member of members) {
    if (member.peer === peer) return member.incarnation === incarnation;
  }
  return false;
}
