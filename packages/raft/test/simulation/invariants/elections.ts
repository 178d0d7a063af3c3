import type { RaftEpoch, RaftMember } from '@mosaik/wire';
import { describeEpoch, isMember, sameEpoch } from '../../../src/core/epoch.ts';
import { majority } from '../../../src/core/quorum.ts';
import type { Campaign } from '../../../src/core/roles/candidate.ts';
import type { SimNode } from '../sim-node.ts';
import { type CreateInvariant, sideOf } from './invariant.ts';

/** Terms do not go back, one durable vote per term, one leader per term (Raft §5.1, §5.2), within a side. */
export const elections: CreateInvariant = (checker, cluster) => {
  /** (side, term) → the leader's nonce. */
  const leaders = new Map<string, bigint>();
  /** (side, incarnation, term) → the nonce voted for. */
  const votes = new Map<string, bigint>();
  const terms = new Map<string, number>();
  /** What each member was at its last step: most steps change nothing of it, so there is nothing new to check. */
  const seen = new Map<SimNode, ReturnType<typeof standingOf>>();
  /** Nonce → who granted that epoch its vote. */
  const grants = new Map<bigint, RaftMember[]>();
  /** Votes asked for of a member that heard its leader. */
  const sticky = new Set<string>();
  /** What each member began last. */
  const campaigns = new Map<SimNode, Campaign>();
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
      if (s.campaign && campaigns.get(node) !== s.campaign) {
        campaigns.set(node, s.campaign);
        assertMayCampaign(node);
      }
      const side = sideOf(node);
      const before = seen.get(node);
      if (
        before?.side === side &&
        before.term === s.term &&
        before.role === s.role &&
        before.epoch === s.epoch &&
        before.hardState === node.store.hardState &&
        before.incarnation === s.incarnation &&
        before.life === node.life
      )
        return;
      seen.set(node, standingOf(node, side));
      assertTerms(node, side);
      if (s.role === 'leader') assertOneLeader(node);
      else assertOneVote(node, side);
    },
    handleSend(from, _, { body, incarnation }) {
      if (body.type !== 'VoteResponse' || body.verdict.type !== 'Granted') return;
      if (sticky.has(keyOf(from, body)))
        throw checker.fail(from, `grants ${describeEpoch(body.epoch)}, asked while it heard its leader`);
      if (!body.pre && !sameEpoch(from.store.hardState?.vote, body.epoch))
        throw checker.fail(from, `grants ${describeEpoch(body.epoch)} before its vote is durable`);
      if (body.pre) return;
      const granted = grants.get(body.epoch.nonce) ?? [];
      grants.set(body.epoch.nonce, [...granted, { peer: from.id, incarnation }]);
    },
  };

  function assertTerms(node: SimNode, side: string): void {
    const s = node.core.state;
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
  }

  function assertOneVote(node: SimNode, side: string): void {
    const { hardState } = node.store;
    if (!hardState?.vote) return;
    const key = `${side}:${hardState.incarnation}:${hardState.vote.term}`;
    const known = votes.get(key);
    if (known !== undefined && known !== hardState.vote.nonce)
      throw checker.fail(node, `votes twice in term ${hardState.vote.term} of side ${side}`);
    votes.set(key, hardState.vote.nonce);
  }

  function assertOneLeader(node: SimNode): void {
    const { epoch, log, term } = node.core.state;
    if (!epoch) return;
    const key = `${log.side?.nonce ?? ''}:${term}`;
    const other = leaders.get(key);
    if (other !== undefined && other !== epoch.nonce)
      throw checker.fail(node, `second leader in term ${term} of side ${key}`);
    if (other === undefined) assertElected(node, epoch);
    leaders.set(key, epoch.nonce);
  }

  /** By a majority of the set that its opening names: in its own log, or those that founded. */
  function assertElected(node: SimNode, epoch: RaftEpoch): void {
    const s = node.core.state;
    const opening = s.log.entryAt(s.leadership?.openingIndex ?? 0);
    if (opening?.type !== 'Opening') return;
    const { members } = opening;
    const voters = new Set(
      [...(grants.get(epoch.nonce) ?? []), s.member]
        .filter(({ peer, incarnation }) => isMember(members, peer, incarnation))
        .map(({ peer }) => peer),
    );
    if (voters.size < majority(members.length))
      throw checker.fail(node, `leads by the votes of ${voters.size} of ${members.length}`);
  }

  /** Whoever the set no longer names campaigns only until that is committed (thesis §4.2.2). */
  function assertMayCampaign(node: SimNode): void {
    const s = node.core.state;
    if (cluster.init.mode !== 'voters' || s.log.last === 0 || s.counted) return;
    if ((s.log.leftAt(s.member) ?? 0) <= s.commit)
      throw checker.fail(node, 'campaigns, though its set does not name it');
  }
};

function standingOf(node: SimNode, side: string) {
  const { term, role, epoch, incarnation } = node.core.state;
  return { side, term, role, epoch, incarnation, hardState: node.store.hardState, life: node.life };
}

function keyOf(node: SimNode, { epoch, pre }: { epoch: RaftEpoch; pre: boolean }): string {
  return `${node.index}/${node.life}/${pre}/${epoch.nonce}`;
}
