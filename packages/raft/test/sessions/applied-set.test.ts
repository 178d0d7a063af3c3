import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, test } from 'vitest';
import { AppliedSet } from '../../src/sessions/applied-set.ts';

describe('the sequences of a session that were applied', () => {
  test('in order they are one number', () => {
    const set = new AppliedSet();
    set.raiseTo(1);
    for (let sequence = 1; sequence <= 1000; sequence += 1) expect(set.add(sequence)).toBe(true);
    expect([set.low, set.ranges]).toEqual([1001, []]);
    expect(set.add(500)).toBe(false);
  });

  test('a gap is remembered until it is filled, or its origin gave it up', () => {
    const set = new AppliedSet(1);
    for (const sequence of [1, 3, 4, 7]) set.add(sequence);
    expect([set.low, set.ranges]).toEqual([2, [3, 4, 7, 7]]);
    expect([2, 3, 4, 5, 7].map((sequence) => set.has(sequence))).toEqual([false, true, true, false, true]);
    set.add(2);
    expect([set.low, set.ranges]).toEqual([5, [7, 7]]);
    set.raiseTo(7);
    expect([set.low, set.ranges]).toEqual([8, []]);
    expect(set.add(5)).toBe(false);
  });

  test.each(Array.from({ length: 50 }, (_, seed) => seed))('does as a plain set would (seed %i)', (seed) => {
    const rng = seededRng(seed);
    const set = new AppliedSet();
    const twin = new Set<number>();
    let low = 0;
    for (let step = 0; step < 400; step += 1) {
      const sequence = Math.floor(rng.float() * 60) + Math.floor(step / 8);
      if (rng.float() < 0.1 && sequence > low) {
        low = Math.max(low, sequence - Math.floor(rng.float() * 10));
        set.raiseTo(low);
      }
      const there = sequence < low || twin.has(sequence);
      expect(set.has(sequence)).toBe(there);
      expect(set.add(sequence)).toBe(!there);
      twin.add(sequence);
      for (let i = 2; i < set.ranges.length; i += 2)
        expect(set.ranges[i]).toBeGreaterThan((set.ranges[i - 1] as number) + 1);
    }
  });
});
