import { MAX_RAFT_SIDES } from '@mosaik/wire';
import type { Standing } from './peer.ts';
import type { RaftState } from './state.ts';

const MAX_LISTED = 64;

/** Where this member stands; with its run table where it speaks to another side. */
export function describeSelf(s: RaftState, withRuns = false): Standing {
  const { log } = s;
  const epoch = log.lastEpoch;
  return {
    term: s.term,
    sides: s.heading ? [s.heading, ...log.sides()].slice(0, MAX_RAFT_SIDES) : log.sides(),
    epoch: s.epoch,
    last: epoch && { epoch, index: log.last },
    committed: s.commit,
    view: [...log.members],
    former: log.formerMembers(MAX_LISTED),
    lastCommand: log.lastCommand,
    joining: !s.counted,
    observer: s.config.observer,
    stopped: s.stopped !== undefined,
    runs: withRuns ? log.runsUpTo(log.last) : [],
  };
}
