import type { RaftNode, RaftStatus } from '@mosaik/raft';
import type { PeerId } from '@mosaik/wire';
import type { Watch } from '@mosaik/wire/runtime';
import type { WaitOptions } from './wait-for.ts';

type VoterNode = Pick<RaftNode<never, never, unknown, unknown>, 'addVoter' | 'removeVoter'>;

/** The members that count, and how an explicit set of them is changed. */
export class Voters {
  readonly #status: Watch<RaftStatus>;
  readonly #call: (run: (node: VoterNode) => Promise<void>) => Promise<void>;

  /** Made by its group. */
  constructor(status: Watch<RaftStatus>, call: (run: (node: VoterNode) => Promise<void>) => Promise<void>) {
    this.#status = status;
    this.#call = call;
  }

  /** The set in force as this member's log has it: the voters, or the view that follows the bonds. */
  list(): readonly PeerId[] {
    return this.#status.value.members;
  }

  /**
   * Makes `peer` a voter. It is listed at once and counts once it has caught up, when this resolves. It may be asked of
   * any member; what is done already is done.
   *
   * @throws GroupError `change-in-progress` (one change at a time), `not-a-voter` for an observer, `offline`,
   * `unknown-outcome`: it may be listed, or become so; `terminated`. TypeError where the set follows the bonds.
   */
  add(peer: PeerId, options?: WaitOptions): Promise<void> {
    return this.#call((node) => node.addVoter(peer, options));
  }

  /**
   * Removes a voter and resolves when that is committed. A leader that is removed hands over.
   *
   * @throws GroupError as `add`; `not-a-voter` for whoever is none, `no-quorum` for the last one or when the others that
   * answer are no majority.
   */
  remove(peer: PeerId, options?: WaitOptions): Promise<void> {
    return this.#call((node) => node.removeVoter(peer, options));
  }
}
