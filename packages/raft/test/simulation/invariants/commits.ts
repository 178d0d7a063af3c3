import type { RaftEpoch, RaftMember } from '@mosaik/wire';
import { isMember, sameEpoch } from '../../../src/core/epoch.ts';
import { majority } from '../../../src/core/quorum.ts';
import type { SimNode } from '../sim-node.ts';
import { type CreateInvariant, holds, sideOf } from './invariant.ts';

/** What a member was at its last step. */
interface Seen {
  readonly life: number;
  readonly commit: number;
  readonly side: string;
  readonly incarnation: bigint;
  readonly members: readonly RaftMember[];
  /** The epoch that it led. */
  readonly led: RaftEpoch | undefined;
}

/**
 * Committed is the same everywhere on a side and never taken back; whoever counts commits what a majority of the set in
 * force holds durably, by entries of the leader's own epoch (Raft §5.4.2); applied is what is committed.
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
      const same = before?.life === node.life && before.incarnation === s.incarnation && before.side === side;
      const { commit, incarnation } = s;
      const { members } = s.log;
      const led = s.role === 'leader' ? s.epoch : undefined;
      if (same && commit === before.commit && members === before.members && led === before.led) return;
      if (same && commit < before.commit)
        throw checker.fail(node, `commit went back from ${before.commit} to ${commit}`);
      seen.set(node, { life: node.life, commit, side, incarnation, members, led });
      const from = same ? before.commit : 0;
      const committed = checker.committedOn(side);
      for (let index = from + 1; index <= commit; index += 1) {
        const nonce = s.log.epochAt(index)?.nonce ?? 0n;
        const known = committed.get(index);
        if (known === undefined) committed.set(index, { nonce, term: s.term });
        else if (known.nonce !== nonce)
          throw checker.fail(node, `commits another entry at ${index} of side ${side}`);
      }
      const counted = same && before.led === led ? commit : (s.leadership?.openingIndex ?? 0);
      // What was committed before it led it did not count.
      if (commit > from && (led ? commit >= counted : same && isFirstToKnow(node)))
        assertHeld(node, commit, same ? before.members : members);
    },
    handleApplied(node, index) {
      if (index > node.core.state.commit) throw checker.fail(node, `applies ${index} before it is committed`);
    },
    handleTurn(node) {
      const { commit } = node.core.state;
      if (node.applied !== commit) throw checker.fail(node, `applied ${node.applied}, committed ${commit}`);
    },
  };

  /**
   * Where two are a majority, a follower commits with its leader, which learns of it a little later. (What came with a
   * snapshot somebody else counted, or the epochs before left behind.)
   */
  function isFirstToKnow({ core }: SimNode): boolean {
    const { leader: id, commit, epoch, log } = core.state;
    if (commit <= log.base || !sameEpoch(log.epochAt(commit), epoch)) return false;
    const leader = id === undefined ? undefined : cluster.nodes.find((other) => other.id === id);
    if (!leader?.alive || leader.core.state.role !== 'leader') return false;
    return sameEpoch(leader.core.state.epoch, epoch) && commit > leader.core.state.commit;
  }

  /** In force was the set of the log, or the one before it, if the step changed it after it committed. */
  function assertHeld(node: SimNode, index: number, membersBefore: readonly RaftMember[]): void {
    const s = node.core.state;
    if (!sameEpoch(s.log.epochAt(index), s.epoch))
      throw checker.fail(node, `commits ${index} by count across epochs`);
    const { members } = s.log;
    const countHeld = (set: readonly RaftMember[]) =>
      set.filter((member) => holds(checker, member, index, node)).length;
    const held = countHeld(members);
    if (held < majority(members.length) && countHeld(membersBefore) < majority(membersBefore.length))
      throw checker.fail(node, `commits ${index}, held by ${held} of ${members.length}`);
    // A voter that the log removes leads on until the others have committed that.
    if (cluster.init.mode === 'dynamic' && s.role === 'leader' && !isMember(members, node.id, s.incarnation))
      throw checker.fail(node, 'leads without being in its set');
  }
};
