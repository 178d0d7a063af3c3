import type { PeerId } from '@mosaik/wire';
import type { RaftState } from './state.ts';

/** Whether `peer` has a log and a vote and no state machine: it counts, and leads only until somebody else can. */
export function isWitness(s: RaftState, peer: PeerId): boolean {
  const { quorum } = s.config.consensus;
  return quorum.type === 'Voters' && quorum.witnesses.includes(peer);
}

/** Everybody whom the genesis of an explicit set needs. */
export function genesisVoters(s: RaftState): readonly PeerId[] {
  const { quorum } = s.config.consensus;
  return quorum.type === 'Voters' ? [...quorum.voters, ...quorum.witnesses] : [];
}
