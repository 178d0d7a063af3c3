import type { PeerId, RaftEpoch } from '@mosaik/wire';
import type { RaftState } from '../state.ts';

/** Tells a leader that its appends do not fit, and where this log has what (Raft §5.3). */
export function reject(s: RaftState, to: PeerId, epoch: RaftEpoch, prev: number): void {
  s.send(to, {
    type: 'Appended',
    epoch,
    term: s.term,
    match: Math.min(s.matched, s.durable),
    round: s.round,
    reject: { prev, last: s.log.last, runs: s.log.runsUpTo(s.log.last) },
  });
}

/** Asks the leader that is followed from now on to start over from where the logs agree. */
export function requestAppends(s: RaftState): void {
  if (s.leader && s.epoch) reject(s, s.leader, s.epoch, 0);
}
