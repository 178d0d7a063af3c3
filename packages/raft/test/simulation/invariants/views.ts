import type { RaftMember } from '@mosaik/wire';
import { nameOf, type SimNode } from '../sim-node.ts';
import type { CreateInvariant } from './invariant.ts';

/** Consensus D3: a view loses nobody for slowness, that is nobody who is bonded, of this side, and has not forgotten. */
export const views: CreateInvariant = (checker, cluster) => {
  if (cluster.init.mode !== 'dynamic') return {};
  /** As it was after the step before. */
  const before = new Map<SimNode, { readonly index: number; readonly members: readonly RaftMember[] }>();
  return {
    handleStart: (node) => {
      before.delete(node);
    },
    handleStep(node) {
      const s = node.core.state;
      const { members, membersIndex: index } = s.log;
      const known = before.get(node);
      if (known?.index === index) return;
      before.set(node, { index, members });
      if (!known || !s.leadership || index <= s.leadership.openingIndex) return;
      for (const { peer, incarnation } of known.members) {
        if (members.some((member) => member.peer === peer)) continue;
        const bonded = s.peers.get(peer);
        if (bonded?.incarnation !== incarnation || !bonded.status || bonded.status.stopped) continue;
        if (s.leadership.progress.get(peer)?.forgot || s.isForeign(bonded)) continue;
        throw checker.fail(node, `removes ${nameOf(peer)}, which is bonded`);
      }
    },
  };
};
