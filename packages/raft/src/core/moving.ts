import type { RaftState } from './state.ts';

/** How long statuses wait after leadership was handed over, at most. */
const MAX_SETTLING_MS = 50;

/**
 * This member knows that leadership is moving: its proposals wait, and those of others shall; until the next campaign is
 * due if nothing comes of it, which is later than whoever hands over gives up.
 */
export function expectNewLeader(s: RaftState, nowMs: number): void {
  const untilMs = nowMs + s.electionTimeoutMs + s.config.consensus.electionTimeoutJitterMs;
  s.held.start(untilMs);
  s.movingUntilMs = untilMs;
}

/** Leadership is handed over now. */
export function beginHandover(s: RaftState, nowMs: number): void {
  expectNewLeader(s, nowMs);
  s.settlingUntilMs = nowMs + Math.min(s.config.consensus.heartbeatIntervalMs, MAX_SETTLING_MS);
}

/** Whether whoever forwards to this member, or asks it to read, shall wait for the next leader. */
export function isMoving({ transfer, leadership, movingUntilMs }: RaftState, nowMs: number): boolean {
  return transfer !== undefined || (!leadership && nowMs < movingUntilMs);
}
