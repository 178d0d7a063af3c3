import type { PeerId } from '@mosaik/wire';
import type { Leadership } from './leadership.ts';
import type { Standing } from './peer.ts';
import { describeSelf } from './standing.ts';
import type { RaftState } from './state.ts';

/** A leader told one other that its side is the greater, and waits for the answer. */
export interface ClaimOut {
  readonly to: PeerId;
  /** The rank that was sent: it decides, whatever became of it since. */
  readonly standing: Standing;
  readonly untilMs: number;
}

/** Two sides that both took commands: the leader of the greater one says so, to one other at a time (consensus D6). */
export function maybeClaim(s: RaftState, to: PeerId, nowMs: number): void {
  const { leadership } = s;
  if (!leadership || !canMerge(s, leadership)) return;
  if (leadership.claim || nowMs < leadership.claimAfterMs) return;
  const standing = describeSelf(s, true);
  leadership.claim = { to, standing, untilMs: nowMs + s.electionTimeoutMs };
  s.note('info', 'claims the side of another leader', { to });
  s.send(to, { type: 'Claim', ...standing });
}

/** Not while it cannot speak for its side, nor while that has another leader soon. */
export function canMerge(s: RaftState, { openingIndex }: Leadership): boolean {
  return s.serves && !s.transfer && s.commit >= openingIndex;
}

/** Neither answer comes for ever: a claim is void, and a side that gave way goes on, if nothing came of it. */
export function handleClaimTick(s: RaftState, nowMs: number): void {
  if ((s.leadership?.claim?.untilMs ?? Number.POSITIVE_INFINITY) <= nowMs) endClaim(s, nowMs);
  if (s.yielding === undefined || s.isYielding(nowMs)) return;
  s.yielding = undefined;
  s.note('info', 'goes on: the side that it gave way to did not come', {});
  s.changed();
}

/** Another attempt not at once, nor in step with the others. */
export function endClaim(s: RaftState, nowMs: number): void {
  if (!s.leadership) return;
  s.leadership.claim = undefined;
  s.leadership.claimAfterMs = nowMs + s.rng.float() * s.electionTimeoutMs;
}
