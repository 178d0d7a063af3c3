import { describeEpoch, isMember } from './epoch.ts';
import { majority } from './quorum.ts';
import type { RaftState } from './state.ts';

/**
 * Called before anything else at every input: a leader that did nothing for longer than an election timeout (a stopped
 * process, a blocked event loop) may have been replaced meanwhile, and what waits for it to be read may be as old. So it
 * takes nothing of that for an answer: with a fixed set it stands down, else it is suspended until a majority has
 * answered what it sends from now on.
 */
export function noticeLag(s: RaftState, nowMs: number): void {
  const awayMs = nowMs - s.lastTurnMs;
  s.lastTurnMs = nowMs;
  const { leadership, electionTimeoutMs } = s;
  if (!leadership || awayMs <= electionTimeoutMs) return;
  const { members } = s.log;
  if (majority(members.length) === 1 && isMember(members, s.localId, s.incarnation)) return;
  const fields = { epoch: describeEpoch(leadership.epoch), awayMs: Math.round(awayMs) };
  s.emit({ type: 'count', name: 'mosaik.groups.raft.leader.lagged' });
  if (!s.dynamic) {
    s.note('warn', 'was away for longer than an election timeout: stands down', fields);
    s.becomeFollower(s.term, nowMs);
    return;
  }
  s.note('warn', 'was away for longer than an election timeout: suspended until a majority answers', fields);
  leadership.round += 1;
  leadership.freshRound = leadership.round;
  leadership.suspendedSinceMs ??= nowMs;
  leadership.heartbeatDeadlineMs = nowMs;
  s.reads.refuseAll(s, 'NoQuorum');
  s.changed();
}
