import { RaftNode } from '@mosaik/raft';
import { VirtualClock } from '@mosaik/wire/testing';
import { expect, test } from 'vitest';
import { Rehearsal, rehearse } from '../src/rehearsal.ts';

const pause = () => new Promise<void>((resolve) => void setImmediate(resolve));

test.each(['Dynamic', 'Voters'] as const)(
  'a rehearsal is what it is for: handovers, commands of every member, and departures where the set follows (%s)',
  async (mode) => {
    const group = new Rehearsal(mode, (init) => RaftNode.open(init), pause);
    await group.open();
    const first = new Set(group.nodes.values());
    for (let handover = 0; handover < 6; handover += 1) {
      const { leader } = group;
      const { term = 0, committed = 0 } = leader?.status.value ?? {};
      await group.handOver();
      expect(group.leader).not.toBe(leader);
      expect(group.leader?.status.value.term).toBeGreaterThan(term);
      // An opening, and what at least the two others executed twice.
      expect(group.leader?.status.value.committed).toBeGreaterThanOrEqual(committed + 5);
    }
    const stayed = [...group.nodes.values()].filter((node) => first.has(node)).length;
    if (mode === 'Voters') expect(stayed).toBe(3);
    else expect(stayed).toBeLessThan(3);
    // What takes part in a handover stays known, with numbers above what fits into a signed word, and below.
    const kinds = ['TimeoutNow', 'VoteResponse', 'Append', 'Appended', 'Committed', 'Forward', 'Forwarded'];
    expect([...group.seen.keys()]).toEqual(expect.arrayContaining(kinds));
    const large = [...group.seen.values()].flatMap(({ body }) =>
      'epoch' in body && body.epoch ? [body.epoch.nonce >= 2n ** 63n] : [],
    );
    expect(new Set(large)).toEqual(new Set([true, false]));
    await group.close();
  },
);

test('virtual time is left alone', () => {
  const clock = new VirtualClock();
  let scheduled = 0;
  const { schedule } = clock;
  clock.schedule = (...args) => {
    scheduled += 1;
    return schedule.apply(clock, args);
  };
  rehearse(clock, 'Voters', (init) => RaftNode.open(init));
  expect(scheduled).toBe(0);
});
