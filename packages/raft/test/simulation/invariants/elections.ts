import type { RaftEpoch } from '@mosaik/wire';
import { describeEpoch, sameEpoch } from '../../../src/core/epoch.ts';
import type { SimNode } from '../sim-node.ts';
import { type CreateInvariant, sideOf } from './invariant.ts';

/** Terms do not go back, one durable vote per term, one leader per term (Raft §5.1, §5.2), within a side. */
export const elections: CreateInvariant = (checker, cluster) => {
  /** (side, term) → the leader's nonce. */
  const leaders = new Map<string, bigint>();
  /** (side, incarnation, term) → the nonce voted for. */
  const votes = new Map<string, bigint>();
  const terms = new Map<string, number>();
  /** Votes asked for of a member that heard its leader. */
  const sticky = new Set<string>();
  /** A pre-vote is being asked for, of a member in this term. */
  let preVote: { term: number } | undefined;
  return {
    handleInput(node, input) {
      preVote = undefined;
      if (input.type !== 'message' || input.message.body.type !== 'VoteRequest') return;
      const { body } = input.message;
      const s = node.core.state;
      if (body.pre) preVote = { term: s.term };
      const hears = s.hasLiveLeader(cluster.localMs(node)) && s.leader !== input.from;
      if (hears && !body.transfer) sticky.add(keyOf(node, body));
    },
    handleStep(node) {
      const s = node.core.state;
      // Thesis §9.6: it binds nobody.
      if (preVote && s.term !== preVote.term) throw checker.fail(node, 'changes its term for a pre-vote');
      preVote = undefined;
      const side = sideOf(node);
      // A term that was not durable may be forgotten: no vote was given in it.
      const life = `${side}:${s.incarnation}:${node.life}`;
      const before = terms.get(life) ?? 0;
      // A member that follows a leader of another side already counts terms of that one.
      const moves = cluster.init.mode === 'dynamic' && s.leader !== undefined && s.role !== 'leader';
      // Without entries and without a vote it promised nothing to whoever it followed last.
      const free = s.log.last === 0 && s.vote === undefined;
      if (s.term < before && !moves && !free)
        throw checker.fail(node, `term went back from ${before} to ${s.term} within side ${side}`);
      terms.set(life, s.term);

      const { hardState } = node.store;
      if (hardState?.vote && s.role !== 'leader') {
        const key = `${side}:${hardState.incarnation}:${hardState.vote.term}`;
        const known = votes.get(key);
        if (known !== undefined && known !== hardState.vote.nonce)
          throw checker.fail(node, `votes twice in term ${hardState.vote.term} of side ${side}`);
        votes.set(key, hardState.vote.nonce);
      }
      if (s.role === 'leader' && s.epoch) {
        const key = `${s.log.side?.nonce ?? ''}:${s.term}`;
        const other = leaders.get(key);
        if (other !== undefined && other !== s.epoch.nonce)
          throw checker.fail(node, `second leader in term ${s.term} of side ${key}`);
        leaders.set(key, s.epoch.nonce);
      }
    },
    handleSend(from, _, { body }) {
      if (body.type === 'VoteResponse' && body.verdict.type === 'Granted' && sticky.has(keyOf(from, body)))
        throw checker.fail(from, `grants ${describeEpoch(body.epoch)}, asked while it heard its leader`);
      if (body.type !== 'VoteResponse' || body.pre || body.verdict.type !== 'Granted') return;
      if (!sameEpoch(from.store.hardState?.vote, body.epoch))
        throw checker.fail(from, `grants ${describeEpoch(body.epoch)} before its vote is durable`);
    },
  };
};

function keyOf(node: SimNode, { epoch, pre }: { epoch: RaftEpoch; pre: boolean }): string {
  return `${node.index}/${node.life}/${pre}/${epoch.nonce}`;
}
