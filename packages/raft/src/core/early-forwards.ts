import type { PeerId, RaftBody } from '@mosaik/wire';
import { sameEpoch } from './epoch.ts';
import { batchBytes } from './proposal-batch.ts';
import type { RaftState } from './state.ts';

type Forward = Extract<RaftBody, { type: 'Forward' }>;

/**
 * What others forwarded to this member together with their votes: it waits, in order, until the election is decided, and
 * is appended right behind the opening entry if it was won.
 */
export class EarlyForwards {
  #queue: { readonly from: PeerId; readonly body: Forward }[] = [];
  #bytes = 0;
  #count = 0;

  /** Whether it was kept; not if it is for another epoch, or more than one member may forward. */
  keep(s: RaftState, from: PeerId, body: Forward): boolean {
    if (!this.#isAwaited(s, body)) return false;
    const bytes = batchBytes(body);
    const { maxForwardBytes, maxUncommittedEntries } = s.config.limits;
    // A message without proposals weighs something too.
    const count = Math.max(1, body.proposals.length);
    if (this.#bytes + bytes > maxForwardBytes || this.#count + count > maxUncommittedEntries) return false;
    this.#queue.push({ from, body });
    this.#bytes += bytes;
    this.#count += count;
    return true;
  }

  /** What waited, once nothing has to any more. */
  take(s: RaftState): { readonly from: PeerId; readonly body: Forward }[] {
    const first = this.#queue[0];
    if (!first || isCampaigning(s, first.body)) return [];
    const queue = this.#queue;
    this.#queue = [];
    this.#bytes = 0;
    this.#count = 0;
    return queue;
  }

  /** Also behind others that are about to be appended, so that nothing overtakes them. */
  #isAwaited(s: RaftState, body: Forward): boolean {
    const first = this.#queue[0];
    return isCampaigning(s, body) || (first !== undefined && sameEpoch(first.body.epoch, body.epoch));
  }
}

function isCampaigning({ campaign }: RaftState, { epoch }: Forward): boolean {
  return campaign !== undefined && !campaign.pre && sameEpoch(campaign.epoch, epoch);
}
