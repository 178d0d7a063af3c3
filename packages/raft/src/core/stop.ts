import { handleLeadershipOver } from './asker.ts';
import type { RaftState } from './state.ts';
import { endTransfer } from './transfer.ts';

/** A promise of the protocol is broken: this member takes no part any more. */
export function stop(s: RaftState, problem: string): void {
  if (s.stopped) return;
  s.stopped = 'failed';
  s.problem = problem;
  if (s.leadership) handleLeadershipOver(s, s.leadership);
  s.role = 'follower';
  s.campaign = undefined;
  s.leadership = undefined;
  s.clearLeader();
  s.forwards.giveUpAll(s);
  s.requests.giveUpAll(s);
  endTransfer(s, 'Offline');
  s.held.release(s, 0);
  s.note('error', problem);
  s.emit({ type: 'count', name: 'mosaik.groups.raft.failed' });
}
