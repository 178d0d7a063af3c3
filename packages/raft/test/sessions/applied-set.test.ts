import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, test } from 'vitest';
import { AppliedSet } from '../../src/sessions/applied-set.ts';

describe('the sequences of a session that were applied', () => {
  test('in order they are one range, whatever their origin still waits for', () => {
    const set = new AppliedSet();
    for (let sequence = 1; sequence <= 1000; sequence += 1) {
      set.raiseTo(sequence - 3);
      expect(set.add(sequence)).toBe(true);
    }
    expect([set.low, set.ranges]).toEqual([997, [1, 1000]]);
    expect(set.add(500)).toBe(false);
  });

  test('a gap is there until it is filled, or its origin gave it up', () => {
    const set = new AppliedSet(1);
    for (const sequence of [1, 3, 4, 7]) set.add(sequence);
    expect([2, 3, 4, 5, 7].map((sequence) => set.has(sequence))).toEqual([false, true, true, false, true]);
    set.add(2);
    expect([set.low, set.ranges]).toEqual([1, [1, 4, 7, 7]]);
    set.raiseTo(7);
    expect(set.add(5)).toBe(false);
    expect([set.has(5), set.wasApplied(5), set.wasApplied(4)]).toEqual([true, false, true]);
  });

  test('of many gaps that were given up the oldest are forgotten: what was applied there is not known any more', () => {
    const set = new AppliedSet();
    for (let sequence = 1; sequence < 200; sequence += 2) {
      set.raiseTo(sequence - 1);
      set.add(sequence);
    }
    expect(set.ranges.length).toBeLessThan(40);
    expect([1, 2, 3].map((sequence) => set.wasApplied(sequence))).toEqual([undefined, undefined, undefined]);
    expect([196, 197, 198, 199].map((sequence) => set.wasApplied(sequence))).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect([1, 2, 196].map((sequence) => set.add(sequence))).toEqual([false, false, false]);
  });

  test.each(Array.from({ length: 50 }, (_, seed) => seed))('does as a plain set would (seed %i)', (seed) => {
    const rng = seededRng(seed);
    const set = new AppliedSet();
    const twin = new Set<number>();
    const applied = new Set<number>();
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
      if (!there) applied.add(sequence);
      twin.add(sequence);
      const other = Math.floor(rng.float() * (sequence + 10));
      expect([applied.has(other), undefined]).toContain(set.wasApplied(other));
      if (other >= low) expect(set.wasApplied(other)).toBe(applied.has(other));
      for (let i = 2; i < set.ranges.length; i += 2)
        expect(set.ranges[i]).toBeGreaterThan((set.ranges[i - 1] as number) + 1);
    }
  });
});
