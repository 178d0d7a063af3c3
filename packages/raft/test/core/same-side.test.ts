import { expect, test } from 'vitest';
import { epochOf, Harness, id, opening, status } from './harness.ts';

test('a leader whose appends are followed is of this side, whatever its last status said (D2)', () => {
  const side = epochOf(1, 1);
  const h = new Harness({ mode: 'dynamic', term: 1, log: [{ epoch: side, entries: [opening(3, true)] }] });
  h.receive(1, status());
  const isForeign = () => {
    const peer = h.state.peers.get(id(1));
    return peer && h.state.isForeign(peer);
  };
  expect(isForeign()).toBe(true);
  h.receive(1, {
    type: 'Append',
    epoch: side,
    side,
    prev: { epoch: side, index: 1 },
    entries: [],
    commit: 1,
    durable: 1,
    round: 0,
  });
  expect(h.state.leader).toBe(id(1));
  expect(isForeign()).toBe(false);
});
