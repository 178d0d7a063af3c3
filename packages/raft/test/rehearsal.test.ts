import { VirtualClock } from '@mosaik/wire/testing';
import { expect, test } from 'vitest';
import { Rehearsal, rehearse } from '../src/rehearsal.ts';

test.each(['Dynamic', 'Voters'] as const)(
  'a rehearsal is what it is for: elections, handovers, commands of every member (%s)',
  (mode) => {
    const group = new Rehearsal(mode);
    for (let handover = 0; handover < 5; handover += 1) {
      const before = group.leader?.state;
      const commit = before?.commit ?? 0;
      group.handOver();
      const after = group.leader?.state;
      expect(after?.localId).not.toBe(before?.localId);
      // An opening and five commands, of which two or more were forwarded.
      expect(after?.commit).toBe(commit + 6);
      expect(after?.log.last).toBe(after?.commit);
    }
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
  rehearse(clock, 'Voters');
  expect(scheduled).toBe(0);
});
