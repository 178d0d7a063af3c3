import type { RaftMember } from '@mosaik/wire';
import type { Leadership } from '../../../src/core/leadership.ts';
import { isCommand, RaftLog } from '../../../src/core/log.ts';
import { majority } from '../../../src/core/quorum.ts';
import type { SimNode } from '../sim-node.ts';
import { type CreateInvariant, keyOfEpoch, sideOf } from './invariant.ts';

interface Place {
  readonly side: string;
  counted: boolean;
}

/**
 * Sides of dynamic mode (consensus D4, D6): of two sides at most one is the trunk of the other; what a counted member of
 * a trunk applied is never given up for a fork of it; whoever forces an epoch reaches no majority of the set before.
 */
export const forks: CreateInvariant = (checker, cluster) => {
  const places = new Map<SimNode, { now: Place; before: Place | undefined }>();
  /** Whom it reached when it won: a bond that forms in the same turn, before the opening is written, comes too late. */
  const reachedAtWin = new Map<SimNode, { leadership: Leadership; reached: number }>();
  return {
    handleStart: (node) => {
      places.delete(node);
    },
    handleStep(node) {
      const side = sideOf(node);
      const { counted } = node.core.state;
      const known = places.get(node);
      if (known?.now.side === side) known.now.counted = counted;
      else places.set(node, { now: { side, counted }, before: known?.now });
      const { leadership } = node.core.state;
      if (!leadership || reachedAtWin.get(node)?.leadership === leadership) return;
      const before = membersAt(node.core.log, leadership.openingIndex - 1);
      if (before) reachedAtWin.set(node, { leadership, reached: countReached(node, before) });
    },
    handleEntry(node, index, entry) {
      const { state, log } = node.core;
      if (entry.type !== 'Opening' || state.leadership?.openingIndex !== index) return;
      for (const other of cluster.leaders) {
        if (other !== node && isTrunkOf(node, other) && isTrunkOf(other, node))
          throw checker.fail(node, `is the trunk of n${other.index}'s side, which is its trunk`);
      }
      if (!entry.forced || index === 1) return;
      const before = membersAt(log, index - 1);
      if (!before) return;
      const win = reachedAtWin.get(node);
      const reached = win?.leadership === state.leadership ? win.reached : countReached(node, before);
      if (reached >= majority(before.length))
        throw checker.fail(node, `forces an epoch with ${reached} of the ${before.length} members before it`);
    },
    handleReverted(node, { from, lost }) {
      const left = places.get(node)?.before;
      const leader = cluster.nodes.find(({ id }) => id === node.core.state.leader);
      if (!left?.counted || !leader?.alive) return;
      if (!sidesOf(leader).slice(1).includes(left.side)) return;
      let index = from;
      for (const entry of lost.flatMap(({ entries }) => entries)) {
        if (index <= node.applied && isCommand(entry))
          throw checker.fail(node, `gives up what it applied at ${index} on a trunk, for a fork of it`);
        index += 1;
      }
    },
  };

  /** Members of the set before that it is bonded with, on the side that it has just left by founding its own. */
  function countReached(node: SimNode, members: readonly RaftMember[]): number {
    const s = node.core.state;
    const place = places.get(node);
    const left = place?.now.side === sideOf(node) ? place.before : place?.now;
    return members.filter(({ peer: id, incarnation }) => {
      if (id === node.id) return incarnation === s.incarnation;
      const peer = s.peers.get(id);
      if (peer?.incarnation !== incarnation || peer.status?.stopped) return false;
      return !peer.status || keyOfEpoch(peer.status.sides[0]) === (left?.side ?? '');
    }).length;
  }
};

/** The newest side of the one is on the log of the other, which was forced out of it. */
function isTrunkOf(trunk: SimNode, fork: SimNode): boolean {
  return sidesOf(fork)
    .slice(1)
    .includes(sidesOf(trunk)[0] ?? '');
}

/** Newest first; as the log tells them, whatever a planted bug says instead. */
function sidesOf({ core }: SimNode): string[] {
  return RaftLog.prototype.sides.call(core.log).map(({ nonce }) => nonce.toString(16));
}

/** The set that was in force there; undefined when that entry is not kept. */
function membersAt(log: RaftLog, index: number): readonly RaftMember[] | undefined {
  for (let at = index; at > 0; at -= 1) {
    const entry = log.entryAt(at);
    if (entry?.type === 'Opening' || entry?.type === 'View') return entry.members;
  }
  return undefined;
}
