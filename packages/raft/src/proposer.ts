import type { RaftEpoch } from '@mosaik/wire';
import type { Calls } from './calls.ts';
import { sameEpoch } from './core/epoch.ts';
import type { RaftCore } from './core/raft-core.ts';

export interface ProposerInit {
  readonly core: RaftCore;
  readonly calls: Calls<unknown>;
  /** What the session of this member is opened for. */
  readonly life: bigint;
  readonly applied: () => number;
  /** Something can be handed over with the next turn. */
  readonly changed: () => void;
}

/** Hands the calls that are due to the core. */
export class Proposer {
  readonly #init: ProposerInit;

  constructor(init: ProposerInit) {
    this.#init = init;
  }

  propose(nowMs: number): void {
    const { core, calls, life } = this.#init;
    if (this.#leaderless) {
      calls.refuseFresh('Offline');
      return;
    }
    const epoch = this.#readyEpoch();
    if (!epoch && !this.#takesUnsent) return;
    const { open, batches } = calls.take(epoch);
    if (open !== undefined) core.handle({ type: 'open-session', number: open, incarnation: life }, nowMs);
    for (const batch of batches) core.handle({ type: 'propose', batch }, nowMs);
  }

  /** Something that waited can go on now, or never will. */
  maybeContinue(): void {
    const { calls, changed } = this.#init;
    if (this.#leaderless ? calls.hasFresh : calls.due && (this.#takesUnsent || this.#readyEpoch())) changed();
  }

  /** Nobody leads, and nobody is about to. */
  get #leaderless(): boolean {
    const { leader, held } = this.#init.core.state;
    return leader === undefined && !held.active;
  }

  /** What no leader has can go on: it is kept until one is known, or the session is in the log of the one that is. */
  get #takesUnsent(): boolean {
    const { calls, core } = this.#init;
    const { held, leadership, matched, serves } = core.state;
    if (calls.session === 0) return false;
    return held.active || (leadership ? serves : matched >= calls.session);
  }

  /** The epoch of the leader, once an entry of it is applied: then so is all that its log had before. */
  #readyEpoch(): RaftEpoch | undefined {
    const { epoch, log } = this.#init.core.state;
    return epoch && sameEpoch(log.epochAt(this.#init.applied()), epoch) ? epoch : undefined;
  }
}
