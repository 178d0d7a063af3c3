import { sameEpoch } from '../../../src/core/epoch.ts';
import { nameOf } from '../sim-node.ts';
import type { CreateInvariant } from './invariant.ts';
import { setBefore } from './sets.ts';

/** Consensus D3: a view loses nobody for slowness, that is nobody who is bonded, of this side, and has not forgotten. */
export const views: CreateInvariant = (checker, cluster) => {
  if (cluster.init.mode !== 'dynamic') return {};
  return {
    handleEntry(node, index, entry) {
      const s = node.core.state;
      if (entry.type !== 'View' || s.role !== 'leader' || !sameEpoch(s.log.epochAt(index), s.epoch)) return;
      const before = setBefore(s.log, index)?.entry.members ?? [];
      for (const { peer, incarnation } of before) {
        if (entry.members.some((member) => member.peer === peer)) continue;
        const known = s.peers.get(peer);
        if (known?.incarnation !== incarnation || !known.status || known.status.stopped) continue;
        if (!s.isForeign(known)) throw checker.fail(node, `removes ${nameOf(peer)}, which is bonded`);
      }
    },
  };
};
