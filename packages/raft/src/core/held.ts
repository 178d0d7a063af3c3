import type { ProposalBatch } from './proposal-batch.ts';
import { type ForwardTarget, handlePropose } from './proposals.ts';
import { handleRead } from './reads.ts';
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
  /** Whoever has this member's vote: it is likely to lead, and is sent what waits together with the vote. */
  #successor: ForwardTarget | undefined;

  get active(): boolean {
    return this.untilMs !== undefined;
  }

  /** From now on proposals wait. */
  start(untilMs: number): void {
    this.untilMs = Math.max(untilMs, this.untilMs ?? untilMs);
    this.#successor = undefined;
  }

  /** Sends what waits, and what comes until somebody leads, to the one that this member voted for. */
  forwardTo(s: RaftState, successor: ForwardTarget, nowMs: number): void {
    if (!this.active) return;
    this.#successor = successor;
    for (const { batch } of this.#take()) handlePropose(s, batch, nowMs);
  }

  /**
   * Whom these proposals may go to already. Its session is known to whoever this member votes for if it is committed
   * here (Raft §5.4.1). Once something has to wait all that comes after it does, so that the order stays.
   */
  successorFor(s: RaftState, { session }: ProposalBatch, bytes: number): ForwardTarget | undefined {
    const successor = this.#successor;
    if (!successor) return undefined;
    const fits = s.forwards.bytes + bytes <= s.config.limits.maxForwardBytes;
    if (fits && session <= s.commit && s.peers.has(successor.leader)) return successor;
    this.#successor = undefined;
    return undefined;
  }

  add(s: RaftState, batch: ProposalBatch, bytes: number): void {
    const { first, proposals } = batch;
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
    this.#successor = undefined;
    for (const { batch } of this.#take()) handlePropose(s, batch, nowMs);
    for (const batch of s.reads.takeHeld()) handleRead(s, batch, nowMs);
  }

  #take(): { batch: ProposalBatch }[] {
    const queue = this.#queue;
    this.#queue = [];
    this.#bytes = 0;
    this.#count = 0;
    return queue;
  }
}
