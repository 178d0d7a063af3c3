import type { RaftState } from './state.ts';

/** Drawn anew for every campaign (Raft §5.2). */
export function resetElectionTimer(s: RaftState, nowMs: number): void {
  const { electionTimeoutMs, electionTimeoutJitterMs } = s.config.consensus;
  s.electionDeadlineMs =
    nowMs + (electionTimeoutMs + s.rng.float() * electionTimeoutJitterMs) * s.config.reluctance;
}

/** Campaigns soon, yet not in step with the others. */
export function hastenElection(s: RaftState, nowMs: number): void {
  const soon = nowMs + s.rng.float() * s.config.consensus.electionTimeoutJitterMs * s.config.reluctance;
  s.electionDeadlineMs = Math.min(s.electionDeadlineMs, soon);
}

/** An empty log waits only to find others (its jitter); one with entries gives a leader time to show. */
export function firstTimeoutMs({ config, log, rng }: Pick<RaftState, 'config' | 'log' | 'rng'>): number {
  const { electionTimeoutMs, electionTimeoutJitterMs } = config.consensus;
  const base = log.last === 0 ? 0 : electionTimeoutMs;
  return (base + rng.float() * electionTimeoutJitterMs) * config.reluctance;
}
