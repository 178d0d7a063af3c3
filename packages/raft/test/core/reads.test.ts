import { describe, expect, test } from 'vitest';
import { append, epochOf, Harness, id, old } from './harness.ts';

describe('linearizable reads', () => {
  test('wait for an entry of the leader’s own epoch (S8)', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    h.input({ type: 'read', first: 1, count: 1 });
    expect(h.run().filter(({ type }) => type === 'read-ready')).toEqual([]);
    h.ack(1, 3);
    expect(h.ack(1, 3, 1)).toContainEqual({ type: 'read-ready', first: 1, count: 1 });
  });

  test('share a round, but never join one that was sent', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    h.ack(1, 3);
    h.input({ type: 'read', first: 1, count: 2 });
    h.input({ type: 'read', first: 3, count: 1 });
    expect(Harness.sent(h.run()).map(([, body]) => 'round' in body && body.round)).toContain(1);
    h.input({ type: 'read', first: 4, count: 1 });
    h.run();
    const first = h.ack(1, 3, 1).filter(({ type }) => type === 'read-ready');
    expect(first).toEqual([
      { type: 'read-ready', first: 1, count: 2 },
      { type: 'read-ready', first: 3, count: 1 },
    ]);
    expect(h.ack(2, 3, 2)).toContainEqual({ type: 'read-ready', first: 4, count: 1 });
  });

  test('of one leadership never hold up those of the next, though whoever asked is gone', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    h.ack(1, 3);
    for (let round = 1; round <= 3; round += 1) {
      h.receive(2, { type: 'ReadRequest', read: round });
      h.run();
    }
    h.input({ type: 'bond-down', peer: id(2), departed: false });
    h.run();
    h.receive(1, append(9, 1, { epoch: epochOf(1, 1), index: 2 }, []));
    h.run();
    h.lead();
    h.ack(1, h.state.log.last);
    h.input({ type: 'read', first: 1, count: 1 });
    h.run();
    expect(h.ack(1, h.state.log.last, 1)).toContainEqual({ type: 'read-ready', first: 1, count: 1 });
  });

  test('of a deposed leader are refused (etcd #741)', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    h.ack(1, 3);
    h.input({ type: 'read', first: 1, count: 1 });
    h.run();
    h.receive(2, append(9, 2, { epoch: epochOf(1, 1), index: 2 }, []));
    expect(h.run()).toContainEqual({ type: 'read-refused', first: 1, count: 1, reason: 'Offline' });
  });
});
