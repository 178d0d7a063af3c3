import type { PeerId } from '@mosaik/wire';
import type { RaftState } from './state.ts';

/** Requests without an answer, here or at the leader. */
export const MAX_REQUESTS = 64;

/** Requests of this member that its leader has not answered. */
export class RequestTable {
  readonly #asked = new Map<number, { leader: PeerId; transfer: boolean; deadlineMs: number }>();

  get size(): number {
    return this.#asked.size;
  }

  get nextDeadlineMs(): number | undefined {
    let next: number | undefined;
    for (const { deadlineMs } of this.#asked.values())
      if (next === undefined || deadlineMs < next) next = deadlineMs;
    return next;
  }

  add(request: number, leader: PeerId, transfer: boolean, deadlineMs: number): void {
    this.#asked.set(request, { leader, transfer, deadlineMs });
  }

  /** False when `from` was not asked. */
  settle(from: PeerId, request: number): boolean {
    return this.#asked.get(request)?.leader === from && this.#asked.delete(request);
  }

  /** `leader` is gone, or leads no more: what it did about a change of the set is not known; a transfer ends that way. */
  handleLeaderGone(s: RaftState, leader: PeerId, bondLost: boolean): void {
    for (const [request, asked] of this.#asked) {
      if (asked.leader === leader && (bondLost || !asked.transfer)) this.#giveUp(s, request);
    }
  }

  handleTick(s: RaftState, nowMs: number): void {
    for (const [request, { deadlineMs }] of this.#asked) if (nowMs >= deadlineMs) this.#giveUp(s, request);
  }

  giveUpAll(s: RaftState): void {
    for (const request of this.#asked.keys()) this.#giveUp(s, request);
  }

  #giveUp(s: RaftState, request: number): void {
    this.#asked.delete(request);
    s.emit({ type: 'request-unknown', request });
  }
}
