import { isMember, sameEpoch } from '../../../src/core/epoch.ts';
import { majority } from '../../../src/core/quorum.ts';
import type { SimNode } from '../sim-node.ts';
import { type CreateInvariant, holds, sideOf } from './invariant.ts';

/** What a member was at its last step. */
interface Seen {
  life: number;
  commit: number;
  side: string;
  incarnation: bigint;
}

/**
 * Committed is the same everywhere on a side and never taken back; a leader commits what a majority of the set in force
 * holds durably, by entries of its own epoch (Raft §5.4.2); applied is what is committed.
 */
export const commits: CreateInvariant = (checker, cluster) => {
  const seen = new Map<SimNode, Seen>();
  return {
    handleStart: (node) => {
      seen.delete(node);
    },
    handleStep(node) {
      const s = node.core.state;
      const { last } = s.log;
      if (s.commit > last || s.durable > last || s.matched > last)
        throw checker.fail(
          node,
          `committed ${s.commit}, durable ${s.durable}, matched ${s.matched} ≤ last ${last} is broken`,
        );
      const side = sideOf(node);
      const before = seen.get(node);
      const same = before && before.life === node.life && before.incarnation === s.incarnation;
      if (same && before.side === side && s.commit < before.commit)
        throw checker.fail(node, `commit went back from ${before.commit} to ${s.commit}`);
      const from = same && before.side === side ? before.commit : 0;
      if (before) {
        before.life = node.life;
        before.commit = s.commit;
        before.side = side;
        before.incarnation = s.incarnation;
      } else seen.set(node, { life: node.life, commit: s.commit, side, incarnation: s.incarnation });
      if (s.commit <= from) return;
      const committed = checker.committedOn(side);
      for (let index = from + 1; index <= s.commit; index += 1) {
        const nonce = s.log.epochAt(index)?.nonce ?? 0n;
        const known = committed.get(index);
        if (known === undefined) committed.set(index, { nonce, term: s.term });
        else if (known.nonce !== nonce)
          throw checker.fail(node, `commits another entry at ${index} of side ${side}`);
      }
      const { leadership } = s;
      if (s.role === 'leader' && leadership && s.commit >= leadership.openingIndex)
        assertHeld(node, s.commit);
    },
    handleApplied(node, index) {
      if (index > node.core.state.commit) throw checker.fail(node, `applies ${index} before it is committed`);
    },
    handleTurn(node) {
      const { commit } = node.core.state;
      if (node.applied !== commit) throw checker.fail(node, `applied ${node.applied}, committed ${commit}`);
    },
  };

  function assertHeld(node: SimNode, index: number): void {
    const s = node.core.state;
    if (!sameEpoch(s.log.epochAt(index), s.epoch))
      throw checker.fail(node, `commits ${index} by count across epochs`);
    const { members } = s.log;
    const held = members.filter((member) => holds(checker, member, index, node));
    if (held.length < majority(members.length))
      throw checker.fail(node, `commits ${index}, held by ${held.length} of ${members.length}`);
    // A voter that the log removes leads on until the others have committed that.
    if (cluster.init.mode === 'dynamic' && !isMember(members, node.id, s.incarnation))
      throw checker.fail(node, 'leads without being in its set');
  }
};
