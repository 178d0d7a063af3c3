import { describeEpoch, sameEpoch } from '../../../src/core/epoch.ts';
import { type CreateInvariant, sideOf } from './invariant.ts';

/** Terms do not go back, one durable vote per term, one leader per term (Raft §5.1, §5.2), within a side. */
export const elections: CreateInvariant = (checker, cluster) => {
  /** (side, term) → the leader's nonce. */
  const leaders = new Map<string, bigint>();
  /** (side, incarnation, term) → the nonce voted for. */
  const votes = new Map<string, bigint>();
  const terms = new Map<string, number>();
  return {
    handleStep(node) {
      const s = node.core.state;
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
      if (body.type !== 'VoteResponse' || body.pre || body.verdict.type !== 'Granted') return;
      if (!sameEpoch(from.store.hardState?.vote, body.epoch))
        throw checker.fail(from, `grants ${describeEpoch(body.epoch)} before its vote is durable`);
    },
  };
};
