import type { RaftEpoch } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { ELECTION_MS, epochOf, Harness, id, member, status } from './harness.ts';

const statusOf = (side?: RaftEpoch) =>
  status({
    term: side?.term ?? 0,
    sides: side ? [side] : [],
    last: side && { epoch: side, index: 1 },
    joining: false,
  });

/** A group of two, dynamic, with the same log of one forced opening; the other one is bonded. */
function pair(): Harness {
  const side = epochOf(1, 1);
  const h = new Harness({
    mode: 'dynamic',
    size: 2,
    term: 1,
    log: [
      {
        epoch: side,
        entries: [{ type: 'Opening', forced: true, members: [0, 1].map(member), learners: [] }],
      },
    ],
  });
  h.receive(1, statusOf(side));
  h.run();
  return h;
}

/** Long leaderless, and its next campaign is a moment away. */
const waitLong = (h: Harness) => {
  h.advance(5 * ELECTION_MS);
  h.advance(h.state.electionDeadlineMs - h.nowMs - 1);
  expect(h.state.role).not.toBe('leader');
};

const lose = (h: Harness, departed: boolean) => {
  h.input({ type: 'bond-down', peer: id(1), departed });
  h.run();
};

/** Steps of a tenth of an election timeout, until it leads. */
const msUntilItLeads = (h: Harness): number => {
  const startedMs = h.nowMs;
  while (h.state.role !== 'leader') {
    h.advance(ELECTION_MS / 10);
    if (h.nowMs - startedMs > 60_000) throw new Error('never leads');
  }
  return h.nowMs - startedMs;
};

describe('a member of its view whose bond just broke', () => {
  test('keeps from forcing an epoch for an election timeout (D4)', () => {
    const h = pair();
    waitLong(h);
    lose(h, false);
    expect(msUntilItLeads(h)).toBeGreaterThanOrEqual(ELECTION_MS);
  });

  test('does not when it departed', () => {
    const h = pair();
    waitLong(h);
    lose(h, true);
    expect(msUntilItLeads(h)).toBeLessThan(ELECTION_MS / 2);
  });
});

describe('a bonded member with a log, lost just before a group may be founded', () => {
  test('keeps an empty member from founding one for an election timeout (D5)', () => {
    const h = new Harness({ mode: 'dynamic', size: 2 });
    h.receive(1, statusOf(epochOf(1, 1)));
    waitLong(h);
    lose(h, false);
    expect(msUntilItLeads(h)).toBeGreaterThanOrEqual(ELECTION_MS);
  });

  test('does not when it was empty too', () => {
    const h = new Harness({ mode: 'dynamic', size: 2 });
    h.receive(1, statusOf());
    lose(h, false);
    expect(msUntilItLeads(h)).toBeLessThan(ELECTION_MS);
  });
});
