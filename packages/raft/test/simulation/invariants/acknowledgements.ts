import { describeEpoch, sameEpoch } from '../../../src/core/epoch.ts';
import type { CreateInvariant } from './invariant.ts';

/** What a follower acknowledges is durable there, contiguous, and its leader's. */
export const acknowledgements: CreateInvariant = (checker) => ({
  handleSend(from, to, { body, incarnation }) {
    if (body.type !== 'Appended' || body.reject || body.match === 0) return;
    if (body.match > from.store.log.last)
      throw checker.fail(from, `acknowledges ${body.match}, durable is ${from.store.log.last}`);
    // Raft §5.2: whoever forgot its term might follow an older leader and drop what it acknowledged.
    const acked = from.store.log.epochAt(body.match);
    const term = from.store.hardState?.term ?? 0;
    if (acked?.term === body.epoch.term && term < body.epoch.term)
      throw checker.fail(from, `acknowledges entries of term ${body.epoch.term}, durable is term ${term}`);
    const leader = to.core?.state;
    if (!to.alive || leader?.role !== 'leader' || !sameEpoch(leader.epoch, body.epoch)) return;
    const mine = from.store.log.epochAt(body.match);
    if (!sameEpoch(mine, leader.log.epochAt(body.match)))
      throw checker.fail(
        from,
        `acknowledges ${body.match} of ${describeEpoch(mine)}, which its leader does not have`,
      );
    if (incarnation !== from.core.state.incarnation)
      throw checker.fail(from, 'speaks as another incarnation');
  },
});
