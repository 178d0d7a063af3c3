import { consensus } from '@mosaik/raft';
import type { LogEntry, RaftEpoch } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/core/config.ts';
import { RaftCore } from '../../src/core/raft-core.ts';
import {
  command,
  ELECTION_MS,
  epochOf,
  Harness,
  HEARTBEAT_MS,
  id,
  incarnationOf,
  opening,
} from './harness.ts';

const COMMON = 5;
const RUNS = 1000;

interface Run {
  epoch: RaftEpoch;
  entries: LogEntry[];
}

/** Five entries that both have, then as many epochs of one entry each, which the other has none of. */
function forked(parity: 0 | 1): Run[] {
  const first: Run = {
    epoch: epochOf(1, 1),
    entries: [opening(3), ...Array.from({ length: COMMON - 1 }, (_, i) => command(`${i}`))],
  };
  const later = Array.from({ length: RUNS }, (_, i) => ({
    epoch: epochOf(2 + 2 * i + parity, 1 + parity),
    entries: [command(`${parity} ${i}`)],
  }));
  return [first, ...later];
}

test('logs that part further back than a reject can describe are brought together (Raft §5.3)', () => {
  const leader = new Harness({ term: 3 * RUNS, log: forked(0) });
  leader.lead();
  const follower = new RaftCore({
    config: {
      localId: id(1),
      consensus: consensus({
        heartbeatIntervalMs: HEARTBEAT_MS,
        heartbeatJitterMs: 0,
        electionTimeoutMs: ELECTION_MS,
        quorum: { voters: [id(0), id(1), id(2)] },
      }),
      observer: false,
      reluctance: 1,
      limits: DEFAULT_LIMITS,
      durableAtOnce: true,
    },
    rng: seededRng(1),
    stored: {
      hardState: { incarnation: incarnationOf(1), term: 2 * RUNS },
      base: 0,
      runs: forked(1),
    },
    nowMs: leader.nowMs,
  });
  follower.handle({ type: 'bond-up', peer: id(0), incarnation: incarnationOf(0) }, leader.nowMs);
  const { last } = leader.core.log;
  let rejects = 0;
  let sent = leader.advance(HEARTBEAT_MS);
  for (let turns = 0; turns < 100 && sent.length > 0; turns += 1) {
    for (const effect of sent) {
      if (effect.type === 'send' && effect.to === id(1))
        follower.handle({ type: 'message', from: id(0), message: effect.message }, leader.nowMs);
    }
    for (const effect of follower.drain(leader.nowMs)) {
      if (effect.type !== 'send' || effect.to !== id(0)) continue;
      const { body } = effect.message;
      if (body.type === 'Appended' && body.reject) rejects += 1;
      leader.receive(1, body);
    }
    sent = leader.run();
  }
  expect(follower.log.runsUpTo(last)).toEqual(leader.core.log.runsUpTo(last));
  expect(follower.log.last).toBe(last);
  expect(leader.state.leadership?.progress.get(id(1))?.match).toBe(last);
  // As many as it takes to describe them all, and one for where it began.
  expect(rejects).toBeLessThanOrEqual(Math.ceil(RUNS / 128) + 2);
});
