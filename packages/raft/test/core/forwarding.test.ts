import { describe, expect, test } from 'vitest';
import { append, encode, epochOf, forward, Harness, id, old, propose } from './harness.ts';

describe('forwarding', () => {
  const following = () => {
    const h = new Harness({ term: 1, log: old });
    h.receive(1, append(1, 1, { epoch: epochOf(1, 1), index: 2 }, []));
    h.run();
    return h;
  };

  test('a follower forwards, and knows the place from the answer', () => {
    const h = following();
    h.input(propose(5, [[encode('x')], [encode('y')]]));
    expect(Harness.sent(h.run())).toEqual([[1, forward(epochOf(1, 1), 5, [[encode('x')], [encode('y')]])]]);
    h.receive(1, { type: 'Forwarded', first: 5, count: 2, epoch: epochOf(1, 1), index: 3 });
    expect(h.run()).toContainEqual({ type: 'accepted', first: 5, count: 2, epoch: epochOf(1, 1), index: 3 });
  });

  test('an answer that nobody asked for is ignored', () => {
    const h = following();
    h.receive(2, { type: 'Forwarded', first: 5, count: 2, epoch: epochOf(1, 1), index: 3 });
    h.receive(1, { type: 'Forwarded', first: 6, count: 1, epoch: epochOf(1, 1), index: 3 });
    expect(h.run()).toEqual([]);
  });

  test('without an answer the outcome is unknown: after the time limit, or when the bond is lost (W12)', () => {
    const h = following();
    h.input(propose(1, [[encode('x')]]));
    h.run();
    h.input({ type: 'bond-down', peer: id(1), departed: false });
    expect(h.run()).toContainEqual({ type: 'uncertain', first: 1, count: 1 });
  });

  test('without a leader nothing is sent: offline', () => {
    const h = new Harness({ term: 1, log: old });
    h.input(propose(1, [[encode('x')]]));
    expect(h.run()).toEqual([{ type: 'refused', first: 1, count: 1, reason: 'Offline' }]);
  });

  test('whoever does not lead refuses what is forwarded to it', () => {
    const h = following();
    h.receive(2, forward(epochOf(1, 1), 8, [[encode('x')]]));
    expect(Harness.sent(h.run())).toEqual([
      [2, { type: 'Refused', first: 8, count: 1, reason: { type: 'Offline' } }],
    ]);
  });
});
