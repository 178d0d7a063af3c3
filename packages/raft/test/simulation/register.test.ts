import { describe, expect, test } from 'vitest';
import { findOrder, type RegisterOperation } from './register.ts';

const at = (called: number, ended: number | undefined) => ({
  called,
  ended,
  happened: true,
  succeeded: true,
});
const write = (value: string, called: number, ended?: number): RegisterOperation => ({
  kind: 'write',
  value,
  expected: undefined,
  ...at(called, ended),
});
const read = (value: string, called: number, ended: number): RegisterOperation => ({
  kind: 'read',
  value,
  expected: undefined,
  ...at(called, ended),
});
const cas = (
  expected: string,
  value: string,
  succeeded: boolean,
  called: number,
  ended?: number,
): RegisterOperation => ({ kind: 'cas', value, expected, ...at(called, ended), succeeded });

describe('a register (Herlihy, Wing 1990)', () => {
  test.each<[string, RegisterOperation[]]>([
    ['one after the other', [write('a', 0, 1), read('a', 2, 3), write('b', 4, 5), read('b', 6, 7)]],
    [
      'a read during a write sees either',
      [write('a', 0, 1), write('b', 2, 9), read('a', 3, 4), read('b', 5, 6)],
    ],
    ['an unanswered write takes effect late', [write('a', 0), read('', 1, 2), read('a', 3, 4)]],
    [
      'an unanswered write explains a cas that missed',
      [write('a', 0, 1), write('b', 2), cas('a', 'c', false, 3, 4)],
    ],
    ['of two cas one takes', [cas('', 'a', true, 0, 9), cas('', 'b', false, 1, 8), read('a', 10, 11)]],
  ])('may do it: %s', (_, history) => {
    expect(findOrder(history)).toBeUndefined();
  });

  test.each<[string, RegisterOperation[]]>([
    ['a stale read', [write('a', 0, 1), write('b', 2, 3), read('a', 4, 5)]],
    ['a read from before a read', [write('a', 0, 1), write('b', 2, 9), read('b', 3, 4), read('a', 5, 6)]],
    ['a lost write', [write('a', 0, 1), read('', 2, 3)]],
    ['two cas that both took', [cas('', 'a', true, 0, 9), cas('', 'b', true, 1, 8)]],
    ['a cas that missed for no reason', [write('a', 0, 1), cas('a', 'b', false, 2, 3)]],
    ['a value from nowhere', [write('a', 0, 1), read('x', 2, 3)]],
  ])('cannot do it: %s', (_, history) => {
    expect(findOrder(history)).toBeTypeOf('string');
  });

  const placed = (place: number, operation: RegisterOperation): RegisterOperation => ({
    ...operation,
    place,
  });

  test.each<[string, boolean, RegisterOperation[]]>([
    [
      'that of a log',
      true,
      [
        placed(5, write('b', 0, 9)),
        placed(3, write('a', 1, 8)),
        placed(3, cas('x', 'c', false, 2, 4)),
        placed(3, read('a', 3, 5)),
        placed(5, read('b', 6, 7)),
        placed(7, write('d', 8)),
      ],
    ],
    ['a misleading one', true, [placed(2, write('a', 0, 1)), placed(1, read('a', 2, 3))]],
    ['of which an end is before a call', false, [placed(3, read('', 4, 5)), placed(6, write('a', 0, 1))]],
    ['in which an answer is wrong', false, [placed(1, write('a', 0, 1)), placed(1, read('x', 2, 3))]],
    [
      'of two cas that both took',
      false,
      [placed(1, cas('', 'a', true, 0, 9)), placed(2, cas('', 'b', true, 1, 8))],
    ],
  ])('is judged by what was seen, whatever order it is told: %s', (_, fine, history) => {
    expect(findOrder(history) === undefined).toBe(fine);
  });
});
