import { describe, expect, test } from 'vitest';
import { ELECTION_MS, encode, epochOf, Harness, HEARTBEAT_MS, id, member, propose } from './harness.ts';

describe('the view of a dynamic leader (D3)', () => {
  const view = (...indexes: number[]) => ({
    type: 'Opening' as const,
    forced: true,
    members: indexes.map(member),
    learners: [],
  });
  const founded = (...indexes: number[]) => {
    const size = Math.max(...indexes) + 1;
    const h = new Harness({
      mode: 'dynamic',
      size,
      term: 1,
      log: [{ epoch: epochOf(1, 0), entries: [view(...indexes)] }],
    });
    h.lead();
    return h;
  };

  test('loses a member that departs at once, one entry per member', () => {
    const h = founded(0, 1, 2, 3);
    for (const from of [1, 2, 3]) h.ack(from, 2);
    h.input({ type: 'bond-down', peer: id(3), departed: true });
    h.input({ type: 'bond-down', peer: id(2), departed: true });
    h.advance(1);
    expect(h.core.log.members).toEqual([0, 1, 3].map(member));
    h.ack(1, 3);
    h.advance(HEARTBEAT_MS);
    expect(h.core.log.members).toEqual([0, 1].map(member));
  });

  test('keeps a member whose bond is lost for an election timeout, and one that is only slow for ever', () => {
    const h = founded(0, 1, 2, 3);
    for (const from of [1, 2]) h.ack(from, 2);
    h.input({ type: 'bond-down', peer: id(2), departed: false });
    for (let waited = 0; waited < ELECTION_MS - HEARTBEAT_MS; waited += HEARTBEAT_MS) {
      h.advance(HEARTBEAT_MS);
      h.ack(1, h.core.log.last);
      h.ack(3, 0);
    }
    expect(h.core.log.members).toHaveLength(4);
    for (let waited = 0; waited < 3 * ELECTION_MS; waited += HEARTBEAT_MS) {
      h.advance(HEARTBEAT_MS);
      h.ack(1, h.core.log.last);
      h.ack(3, 0);
    }
    expect(h.core.log.members).toEqual([0, 1, 3].map(member));
  });

  test('does not change before an entry of its own epoch is committed', () => {
    const h = founded(0, 1, 2);
    h.input({ type: 'bond-down', peer: id(2), departed: true });
    h.advance(1);
    expect(h.core.log.members).toHaveLength(3);
    h.ack(1, 2);
    expect(h.core.log.members).toEqual([0, 1].map(member));
  });

  test('a leader without a majority is suspended: it stays, acknowledges nothing and reads nothing', () => {
    const h = founded(0, 1, 2);
    h.ack(1, 2);
    for (let waited = 0; waited <= ELECTION_MS + HEARTBEAT_MS; waited += HEARTBEAT_MS)
      h.advance(HEARTBEAT_MS);
    expect(h.state.role).toBe('leader');
    expect(h.state.leadership?.suspendedSinceMs).toBeDefined();
    h.input(propose(1, [[encode('x')]]));
    h.input({ type: 'read', first: 1, count: 1 });
    const turn = h.run();
    expect(turn).toContainEqual({ type: 'refused', first: 1, count: 1, reason: 'NoQuorum' });
    expect(turn).toContainEqual({ type: 'read-refused', first: 1, count: 1, reason: 'NoQuorum' });
    h.advance(HEARTBEAT_MS);
    h.ack(1, 2);
    h.advance(HEARTBEAT_MS);
    expect(h.state.leadership?.suspendedSinceMs).toBeUndefined();
  });

  test('half of a view waits until the lost are removed, however late they are missed, and serves again (D3)', () => {
    const h = founded(0, 1, 2, 3);
    h.ack(1, 2);
    h.ack(2, 2);
    let waited = 0;
    const wait = (ms: number) => {
      for (const until = waited + ms; waited < until; waited += HEARTBEAT_MS) {
        h.advance(HEARTBEAT_MS);
        h.ack(1, h.core.log.last);
      }
    };
    wait(2.5 * ELECTION_MS);
    for (const gone of [2, 3]) h.input({ type: 'bond-down', peer: id(gone), departed: false });
    wait(ELECTION_MS - HEARTBEAT_MS);
    expect(h.state.leadership?.suspendedSinceMs).toBeDefined();
    wait(3 * HEARTBEAT_MS);
    expect(h.state.role).toBe('leader');
    expect(h.state.leadership?.suspendedSinceMs).toBeUndefined();
    expect(h.core.log.members).toEqual([0, 1].map(member));
    expect(h.state.commit).toBe(h.core.log.last);
  });

  test('two members: each write needs both (S4, W8)', () => {
    const h = founded(0, 1);
    expect(h.state.commit).toBe(0);
    h.ack(1, 2);
    expect(h.state.commit).toBe(2);
    h.input(propose(1, [[encode('x')]]));
    h.run();
    expect(h.state.commit).toBe(2);
  });
});
