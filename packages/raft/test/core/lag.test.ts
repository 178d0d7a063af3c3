import { describe, expect, test } from 'vitest';
import { ELECTION_MS, epochOf, Harness, HEARTBEAT_MS, id, opening, propose } from './harness.ts';

/** A leader of three voters. */
function leading(): Harness {
  const h = new Harness({ term: 1, log: [{ epoch: epochOf(1, 1), entries: [opening(3)] }] });
  h.lead();
  return h;
}

describe('a leader that was away for longer than an election timeout', () => {
  test('stands down before it takes a proposal', () => {
    const h = leading();
    h.ack(1, 2);
    h.nowMs += ELECTION_MS + 1;
    h.input(propose(1, [[new Uint8Array(1)]]));
    const effects = h.run();
    expect(h.state.role).toBe('follower');
    expect(effects).toContainEqual({ type: 'refused', first: 1, count: 1, reason: 'Offline' });
    expect(Harness.sent(effects)).toEqual([]);
  });

  test('stands down before it counts an answer that waited to be read', () => {
    const h = leading();
    h.nowMs += ELECTION_MS + 1;
    h.ack(1, 2);
    expect(h.state).toMatchObject({ role: 'follower', commit: 0 });
  });

  test('stands down before it answers a read that waited for a round', () => {
    const h = leading();
    h.ack(1, 2);
    h.input({ type: 'read', first: 7, count: 1 });
    h.run();
    h.nowMs += ELECTION_MS + 1;
    const effects = h.ack(1, 2, 1);
    expect(effects).toContainEqual({ type: 'read-refused', first: 7, count: 1, reason: 'Offline' });
    expect(effects.some(({ type }) => type === 'read-ready')).toBe(false);
  });

  test('keeps its term and its log, and may be elected again', () => {
    const h = leading();
    h.ack(1, 2);
    const { term } = h.state;
    h.nowMs += ELECTION_MS + 1;
    h.input({ type: 'tick' });
    h.run();
    expect(h.state).toMatchObject({ role: 'follower', term });
    expect(h.state.log.last).toBe(2);
    h.lead();
    expect(h.state.role).toBe('leader');
  });

  test('goes on when it was away for less', () => {
    const h = leading();
    h.ack(1, 2);
    h.nowMs += ELECTION_MS;
    h.ack(1, 2);
    expect(h.state.role).toBe('leader');
  });

  test('goes on when it is the only member', () => {
    const h = new Harness({ size: 1 });
    h.lead();
    h.nowMs += 10 * ELECTION_MS;
    h.input(propose(1, [[new Uint8Array(1)]]));
    h.run();
    expect(h.state).toMatchObject({ role: 'leader', commit: 2 });
  });
});

describe('a dynamic leader that was away for longer than an election timeout', () => {
  function founded(): Harness {
    const log = [{ epoch: epochOf(1, 0), entries: [opening(3, true)] }];
    const h = new Harness({ mode: 'dynamic', term: 1, log });
    h.lead();
    h.ack(1, 2);
    h.ack(2, 2);
    return h;
  }

  test('is suspended until a majority answers what it sent since', () => {
    const h = founded();
    h.nowMs += ELECTION_MS + 1;
    // What waited to be read was said before, and proves nothing.
    expect(Harness.sent(h.ack(1, 2)).map(([to, body]) => [to, body.type])).toEqual([
      [1, 'Append'],
      [2, 'Append'],
    ]);
    expect(h.state.leadership?.suspendedSinceMs).toBe(h.nowMs);
    h.input(propose(1, [[new Uint8Array(1)]]));
    h.input({ type: 'read', first: 7, count: 1 });
    expect(h.run()).toEqual(
      expect.arrayContaining([
        { type: 'refused', first: 1, count: 1, reason: 'NoQuorum' },
        { type: 'read-refused', first: 7, count: 1, reason: 'NoQuorum' },
      ]),
    );
    h.advance(HEARTBEAT_MS);
    h.ack(2, 2);
    h.advance(HEARTBEAT_MS);
    expect(h.state.leadership?.suspendedSinceMs).toBeDefined();

    h.ack(1, 2, h.state.leadership?.round);
    h.advance(HEARTBEAT_MS);
    expect(h.state).toMatchObject({ role: 'leader', leader: id(0) });
    expect(h.state.leadership?.suspendedSinceMs).toBeUndefined();
  });

  test('stands down when nobody answers any more', () => {
    const h = founded();
    h.nowMs += ELECTION_MS + 1;
    for (let waited = 0; waited <= 3 * ELECTION_MS; waited += HEARTBEAT_MS) h.advance(HEARTBEAT_MS);
    expect(h.state.role).not.toBe('leader');
  });
});
