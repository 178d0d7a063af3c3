import { type ProposalBatch, runBytes } from './proposal-batch.ts';
import { handlePropose } from './proposals.ts';
import type { RaftState } from './state.ts';

/**
 * Proposals of this member that wait while leadership is handed over (Raft §3.10 of the thesis): they go to whoever
 * leads then, or to this leader again when nobody took over in time.
 */
export class HeldProposals {
  #queue: { batch: ProposalBatch; bytes: number }[] = [];
  #bytes = 0;
  #count = 0;
  /** They wait until a leader is known, at most until then; undefined while nothing is held back. */
  untilMs: number | undefined;

  get active(): boolean {
    return this.untilMs !== undefined;
  }

  /** From now on proposals wait. */
  start(untilMs: number): void {
    this.untilMs = Math.max(untilMs, this.untilMs ?? untilMs);
  }

  add(s: RaftState, batch: ProposalBatch): void {
    const { first, proposals } = batch;
    const bytes = proposals.reduce((total, run) => total + runBytes(run), 0);
    const { maxForwardBytes, maxUncommittedEntries } = s.config.limits;
    if (this.#bytes + bytes > maxForwardBytes || this.#count + proposals.length > maxUncommittedEntries) {
      s.emit({ type: 'refused', first, count: proposals.length, reason: 'Overloaded' });
      return;
    }
    this.#bytes += bytes;
    this.#count += proposals.length;
    // What a leader turned away is older than what came here since.
    const at = this.#queue.findIndex((held) => held.batch.first > first);
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, { batch, bytes });
  }

  /** Leadership is clear again, or will not be soon. */
  release(s: RaftState, nowMs: number): void {
    if (this.untilMs === undefined) return;
    this.untilMs = undefined;
    const queue = this.#queue;
    this.#queue = [];
    this.#bytes = 0;
    this.#count = 0;
    for (const { batch } of queue) handlePropose(s, batch, nowMs);
  }
}
