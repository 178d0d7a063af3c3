import type { RaftEpoch } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { Calls } from '../src/calls.ts';
import type { PendingCall } from '../src/pending.ts';
import { epochOf } from './core/harness.ts';

/** Calls of a member whose session is open. */
function begun() {
  const answers: unknown[] = [];
  const calls = new Calls<string>(16, (error) => error);
  calls.handleSession(1);
  const execute = () => {
    const call: PendingCall<string> = {
      commands: [Uint8Array.of(1)],
      given: [],
      feed: false,
      key: undefined,
      deadlineMs: Number.POSITIVE_INFINITY,
      answer: ({ output }) => output,
      resolve: (answer) => answers.push(answer),
      reject: (error) => answers.push(error),
      settled: false,
      number: 0,
      epoch: undefined,
      doubtful: false,
      from: 0,
      output: undefined,
      outputs: undefined,
    };
    calls.add(call);
    return call;
  };
  const take = (epoch?: RaftEpoch) => calls.take(epoch).batches.map(({ first }) => first);
  return { calls, execute, take, answers };
}

describe('calls that were sent before it was known who leads next', () => {
  test('are not sent again to the one that has them', () => {
    const { calls, execute, take } = begun();
    execute();
    expect(take()).toEqual([1]);
    calls.handleAccepted(1, 1, epochOf(2, 2), 5);
    expect(take(epochOf(2, 2))).toEqual([]);
  });

  test('nor while there is no answer, which may come from the one that leads then', () => {
    const { calls, execute, take } = begun();
    execute();
    expect(take()).toEqual([1]);
    expect(take(epochOf(2, 2))).toEqual([]);
    calls.handleAccepted(1, 1, epochOf(2, 2), 5);
    expect(take(epochOf(2, 2))).toEqual([]);
  });

  test.each(['before', 'after'])('are, when that lost its place %s it was heard', (when) => {
    const { calls, execute, take } = begun();
    execute();
    expect(take()).toEqual([1]);
    if (when === 'before') expect(take(epochOf(3, 1))).toEqual([]);
    calls.handleAccepted(1, 1, epochOf(2, 2), 5);
    expect(take(epochOf(3, 1))).toEqual([1]);
    expect(take(epochOf(3, 1))).toEqual([]);
  });

  test('are, when what became of them is not known; a refusal then does not say that they were never sent', () => {
    const { calls, execute, take, answers } = begun();
    execute();
    expect(take()).toEqual([1]);
    calls.handleUncertain(1, 1);
    expect(take()).toEqual([1]);
    calls.handleRefused(1, 1, 'Offline');
    expect(answers).toEqual([]);
    calls.wake();
    expect(take(epochOf(2, 2))).toEqual([1]);
  });

  test('are, also behind one that nobody waits for any more', () => {
    const { calls, execute, take } = begun();
    const given = execute();
    execute();
    expect(take()).toEqual([1]);
    calls.giveUp(
      given,
      () => 'unsent',
      () => 'sent',
    );
    calls.handleAccepted(1, 2, epochOf(2, 2), 5);
    expect(take(epochOf(3, 1))).toEqual([2]);
  });

  test('leave those alone that an earlier leader has, until the next one is known', () => {
    const { execute, take } = begun();
    execute();
    expect(take(epochOf(1, 1))).toEqual([1]);
    execute();
    expect(take()).toEqual([2]);
    expect(take(epochOf(2, 2))).toEqual([1]);
  });
});
