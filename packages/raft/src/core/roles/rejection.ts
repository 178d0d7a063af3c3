import type { PeerId, RaftEpoch } from '@mosaik/wire';
import type { RaftState } from '../state.ts';

/**
 * Tells a leader that its appends do not fit, and where this log has what, up to the place that was asked about (Raft
 * §5.3): however many runs there are, each answer reaches further back than the one before it. `prev` 0: all of it.
 */
export function reject(s: RaftState, to: PeerId, epoch: RaftEpoch, prev: number): void {
  const last = prev === 0 ? s.log.last : Math.min(prev, s.log.last);
  s.send(to, {
    type: 'Appended',
    epoch,
    term: s.term,
    match: Math.min(s.matched, s.durable),
    round: s.round,
    reject: { prev, last, runs: s.log.runsUpTo(last) },
  });
}

/** Asks the leader that is followed from now on to start over from where the logs agree. */
export function requestAppends(s: RaftState): void {
  if (s.leader && s.epoch) reject(s, s.leader, s.epoch, 0);
}
