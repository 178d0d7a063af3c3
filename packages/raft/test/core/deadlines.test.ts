import type { RaftBody } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, test } from 'vitest';
import { Cluster } from '../simulation/cluster.ts';
import { command, ELECTION_MS, epochOf, Harness, id, opening, propose } from './harness.ts';

describe.each(['voters', 'dynamic'] as const)('with a clock that fires exactly on time (%s)', (mode) => {
  test('a deadline that was announced is over when it comes: the next one is later', () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const rng = seededRng(seed);
      // As `performance.now` gives them: with a fraction, and large.
      const h = new Harness({
        mode,
        term: 1,
        log:
          seed % 3 === 0
            ? []
            : [{ epoch: epochOf(1, 1), entries: [opening(3, mode === 'dynamic'), command('a')] }],
      });
      h.nowMs = 1e6 + rng.float() * 1e7;
      h.input({ type: 'tick' });
      h.run();
      for (let step = 0; step < 200; step += 1) {
        const due = h.core.nextDeadlineMs();
        if (due === undefined) break;
        // The driver hands the clock a delay, and the clock adds it to its time.
        h.nowMs += Math.max(0, due - h.nowMs);
        h.input({ type: 'tick' });
        h.run();
        expect(h.core.nextDeadlineMs(), `seed ${seed}, step ${step}, ${h.state.role}`).toBeGreaterThan(
          h.nowMs,
        );
        disturb(h, Math.floor(rng.float() * 8));
      }
    }
  });
});

/** Gives the core something to set a deadline for. */
function disturb(h: Harness, kind: number): void {
  const { epoch, term, role } = h.state;
  const from = role === 'leader' ? 1 : 2;
  switch (kind) {
    case 0:
      h.input(propose(1, [[Uint8Array.of(1)]]));
      break;
    case 1:
      h.input({ type: 'read', first: 1, count: 1 });
      break;
    case 2:
      h.input({ type: 'request', request: 1, what: { type: 'Transfer', to: undefined } });
      break;
    case 3:
      if (role === 'leader') h.ack(1, h.core.log.last);
      break;
    case 4:
      h.receive(from, append(h));
      break;
    case 5:
      if (epoch) h.receive(from, { type: 'Refused', first: 1, count: 1, reason: { type: 'Moving' } });
      break;
    case 6:
      h.input({ type: 'bond-down', peer: id(1), departed: term % 2 === 0 });
      h.bond(1);
      break;
  }
  h.run();
}

function append(h: Harness): RaftBody {
  const { last, lastEpoch } = h.core.log;
  return {
    type: 'Append',
    epoch: epochOf(h.state.term + (h.state.leader ? 0 : 1), 2),
    side: h.state.side,
    prev: lastEpoch && { epoch: lastEpoch, index: last },
    entries: [],
    commit: last,
    round: 0,
    durable: 0,
  };
}

test('a whole group at rest takes a bounded number of steps for each second', () => {
  const cluster = new Cluster({ seed: 5, size: 3, mode: 'voters', maxDelayMs: 2 });
  for (const node of cluster.nodes) cluster.start(node);
  cluster.runFor(10 * ELECTION_MS);
  const before = cluster.checker.steps;
  cluster.runFor(10_000);
  expect(cluster.checker.steps - before).toBeLessThan(10 * 3 * 100);
});
