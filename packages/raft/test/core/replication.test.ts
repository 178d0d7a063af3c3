import { describe, expect, test } from 'vitest';
import {
  append,
  command,
  ELECTION_MS,
  encode,
  epochOf,
  Harness,
  HEARTBEAT_MS,
  old,
  opening,
  propose,
} from './harness.ts';

describe('a follower', () => {
  test('acknowledges only what is durable, once per turn (acknowledging)', () => {
    const h = new Harness({ term: 1, log: old });
    h.receive(1, append(1, 1, { epoch: epochOf(1, 1), index: 2 }, ['b', 'c']));
    h.receive(1, append(1, 1, { epoch: epochOf(1, 1), index: 4 }, ['d']));
    const turn = h.drain();
    expect(Harness.sent(turn)).toEqual([]);
    expect(Harness.sent(h.persist())).toEqual([[1, expect.objectContaining({ match: 5 })]]);
  });

  test('refuses an append whose predecessor it lacks, and says what it has (§5.3; S9: nobody stalls)', () => {
    const h = new Harness({ term: 1, log: old });
    h.receive(1, append(2, 1, { epoch: epochOf(2, 1), index: 9 }, ['x']));
    expect(Harness.sent(h.run())).toEqual([
      [
        1,
        expect.objectContaining({
          match: 0,
          reject: { prev: 9, last: 2, runs: [{ epoch: epochOf(1, 1), first: 1 }] },
        }),
      ],
    ]);
  });

  test('removes everything from the first conflicting entry on, not only that one (S1)', () => {
    const h = new Harness({
      term: 2,
      log: [...old, { epoch: epochOf(2, 0), entries: [opening(3), command('lost'), command('lost too')] }],
    });
    h.receive(2, append(3, 2, { epoch: epochOf(1, 1), index: 2 }, ['kept']));
    h.run();
    expect(h.core.log.last).toBe(3);
    expect(h.core.log.entryAt(3)).toEqual(command('kept'));
    expect(h.core.log.epochAt(3)).toEqual(epochOf(3, 2));
  });

  test('an old append that comes late takes nothing away (async-raft 9540c904)', () => {
    const h = new Harness({ term: 1, log: old });
    const prev = { epoch: epochOf(1, 1), index: 2 };
    h.receive(1, append(1, 1, prev, ['b', 'c']));
    h.run();
    h.receive(1, append(1, 1, prev, ['b']));
    expect(Harness.sent(h.run())).toEqual([[1, expect.objectContaining({ match: 4 })]]);
    expect(h.core.log.last).toBe(4);
  });

  test('one that begins before what is still known of the log is answered with what it has, too (§7)', () => {
    const count = 200;
    const terms = Array.from({ length: count }, (_, i) => ({
      epoch: epochOf(i + 1, 1),
      entries: [i === 0 ? opening(3) : command(`${i}`)],
    }));
    const h = new Harness({ term: count, log: terms });
    h.receive(1, append(count, 1, { epoch: epochOf(count, 1), index: count }, [], { commit: count }));
    h.core.log.compactTo(count - 1);
    expect(h.core.log.epochAt(3)).toBeUndefined();
    h.receive(1, append(count, 1, { epoch: epochOf(3, 1), index: 3 }, [], { entries: terms.slice(3, 8) }));
    expect(Harness.sent(h.run())).toEqual([
      [1, expect.objectContaining({ type: 'Appended', match: count, reject: undefined })],
    ]);
  });

  test('commits no further than what it knows to be the leader’s', () => {
    const h = new Harness({
      term: 2,
      log: [...old, { epoch: epochOf(2, 0), entries: [opening(3), command('not the leader’s')] }],
    });
    h.receive(2, append(3, 2, { epoch: epochOf(1, 1), index: 2 }, [], { commit: 4 }));
    expect(h.run()).toContainEqual({ type: 'apply', to: 2 });
    expect(h.state.commit).toBe(2);
  });

  test('answers a leader of a lower term with the higher one (§5.1)', () => {
    const h = new Harness({ term: 5, log: old });
    h.receive(1, append(2, 1, { epoch: epochOf(1, 1), index: 2 }, ['x']));
    expect(Harness.sent(h.run())).toEqual([
      [1, expect.objectContaining({ type: 'Appended', term: 5, match: 0 })],
    ]);
    expect(h.core.log.last).toBe(2);
  });

  test('stops, naming both, at a second leader in one term (fail-stop)', () => {
    const h = new Harness({ term: 1, log: old });
    h.receive(1, append(2, 1, { epoch: epochOf(1, 1), index: 2 }, []));
    h.run();
    h.receive(2, append(2, 2, { epoch: epochOf(1, 1), index: 2 }, []));
    h.run();
    expect(h.state.stopped).toBe('failed');
    expect(h.state.problem).toMatch(/two leaders in one term: 2\/0202.* and 2\/0303/);
  });

  test('stops rather than undo what is committed', () => {
    const h = new Harness({ term: 1, log: old });
    h.receive(1, append(1, 1, { epoch: epochOf(1, 1), index: 2 }, [], { commit: 2 }));
    h.run();
    h.receive(2, append(2, 2, { epoch: epochOf(1, 1), index: 1 }, ['other']));
    h.run();
    expect(h.state.stopped).toBe('failed');
    expect(h.state.problem).toMatch(/contradicts the committed entry 2/);
  });
});

describe('a leader', () => {
  test('commits when a majority holds an entry durably, itself only up to its own fsync (§5.3)', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    h.ack(1, 3);
    expect(h.state.commit).toBe(3);
    h.input(propose(1, [[encode('x')]]));
    h.drain();
    h.receive(1, {
      type: 'Appended',
      epoch: h.state.epoch as never,
      term: h.state.term,
      match: 4,
      round: 0,
      reject: undefined,
    });
    h.drain();
    expect(h.state.commit).toBe(3);
    h.persist();
    expect(h.state.commit).toBe(4);
  });

  test('does not commit entries of older terms by counting (Figure 8, §5.4.2)', () => {
    const h = new Harness({
      term: 2,
      log: [...old, { epoch: epochOf(2, 0), entries: [command('old term')] }],
    });
    h.lead();
    h.ack(1, 3);
    expect(h.state.commit).toBe(0);
    h.ack(1, 4);
    expect(h.state.commit).toBe(4);
  });

  test.each([2, 3, 4, 5, 6, 7, 8, 9])('with %i voters needs a majority of them all (S2)', (size) => {
    const h = new Harness({ size, term: 1, log: [{ epoch: epochOf(1, 1), entries: [opening(size)] }] });
    h.state.electionDeadlineMs = 1;
    h.lead();
    const majority = Math.floor(size / 2) + 1;
    for (let voter = 1; voter < size; voter += 1) {
      h.ack(voter, 2);
      expect(h.state.commit, `${voter + 1} copies`).toBe(voter + 1 >= majority ? 2 : 0);
    }
  });

  test('an incarnation outside the set acknowledges for nobody (W32)', () => {
    const h = new Harness({ term: 1, log: old });
    const epoch = h.lead();
    for (const from of [1, 2]) {
      h.receive(
        from,
        { type: 'Appended', epoch, term: h.state.term, match: 3, round: 0, reject: undefined },
        99n,
      );
    }
    h.run();
    expect(h.state.commit).toBe(0);
  });

  test('many proposals of a turn make one append, one message for all followers', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    h.ack(1, 3);
    h.ack(2, 3);
    for (let i = 0; i < 5; i += 1) h.input(propose(i, [[encode(`${i}`)]]));
    const turn = h.drain();
    const sends = turn.filter((effect) => effect.type === 'send' && effect.message.body.type === 'Append');
    expect(sends).toHaveLength(2);
    expect(new Set(sends.map((effect) => effect.type === 'send' && effect.message)).size).toBe(1);
    expect(Harness.sent(sends)[0]?.[1]).toMatchObject({
      prev: { index: 3 },
      entries: [{ entries: { length: 5 } }],
    });
  });

  test('an append has at most its bytes, and never tears a run apart', () => {
    const h = new Harness({ term: 1, log: old, limits: { maxAppendBytes: 300 } });
    h.lead();
    h.ack(1, 3);
    const big = (length: number) => new Uint8Array(length);
    h.input(propose(1, [[big(100)], [big(90), big(90), big(90)], [big(1000)], [big(9)]]));
    expect(appendSizes(h, 1)).toEqual([1, 3, 1, 1]);
  });

  test('a large batch goes in several appends, so that followers begin with the first', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    h.ack(1, 3);
    h.input(
      propose(
        1,
        Array.from({ length: 300 }, () => [new Uint8Array(100)]),
      ),
    );
    expect(appendSizes(h, 1)).toEqual([128, 128, 44]);
  });

  test('has a bounded window per follower, in appends and in bytes', () => {
    const h = new Harness({ term: 1, log: old, limits: { maxAppendBytes: 100, maxInflightAppends: 3 } });
    h.lead();
    h.ack(1, 3);
    const proposals = Array.from({ length: 10 }, () => [new Uint8Array(100)]);
    h.input(propose(1, proposals));
    expect(Harness.sent(h.run()).filter(([to]) => to === 1)).toHaveLength(3);
    expect(Harness.sent(h.ack(1, 4)).filter(([to, body]) => to === 1 && body.type === 'Append')).toHaveLength(
      1,
    );
  });

  test('finds where a follower’s log parts in one step, from its run table', () => {
    const h = new Harness({ term: 1, log: old });
    const epoch = h.lead();
    h.receive(1, {
      type: 'Appended',
      epoch,
      term: h.state.term,
      match: 0,
      round: 0,
      reject: {
        prev: 2,
        last: 40,
        runs: [
          { epoch: epochOf(1, 1), first: 1 },
          { epoch: epochOf(1, 2), first: 2 },
        ],
      },
    });
    const resent = Harness.sent(h.run()).find(([to]) => to === 1);
    expect(resent?.[1]).toMatchObject({ type: 'Append', prev: { index: 1 } });
  });

  test('stands down when no majority answered for an election timeout (check-quorum, voters)', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    for (let waited = 0; waited <= ELECTION_MS + HEARTBEAT_MS; waited += HEARTBEAT_MS)
      h.advance(HEARTBEAT_MS);
    expect(h.state.role).not.toBe('leader');
  });

  test('refuses more than it may hold uncommitted: overloaded, from the first that does not fit', () => {
    const h = new Harness({ term: 1, log: old, limits: { maxUncommittedEntries: 3 } });
    h.lead();
    h.ack(1, 3);
    h.input(
      propose(
        10,
        [1, 2, 3, 4, 5].map(() => [encode('x')]),
      ),
    );
    const turn = h.run();
    expect(turn).toContainEqual(expect.objectContaining({ type: 'accepted', first: 10, count: 3, index: 4 }));
    expect(turn).toContainEqual({ type: 'refused', first: 13, count: 2, reason: 'Overloaded' });
  });

  test('sends an append again that stays unacknowledged, though heartbeats are answered', () => {
    const h = new Harness({ term: 1, log: old });
    h.lead();
    h.ack(1, 3);
    h.ack(2, 3);
    h.input(propose(1, [[encode('x')]]));
    h.run();
    h.ack(1, 4);
    // Member 2 follows anew: what it had of this epoch it no longer knows to be the leader's.
    let again: unknown;
    for (let waited = 0; waited <= ELECTION_MS + 2 * HEARTBEAT_MS; waited += HEARTBEAT_MS) {
      const sent = Harness.sent(h.advance(HEARTBEAT_MS));
      again ??= sent.find(([to, body]) => to === 2 && body.type === 'Append' && body.entries.length > 0);
      h.ack(1, 4);
      again ??= Harness.sent(h.ack(2, 3)).find(
        ([to, body]) => to === 2 && body.type === 'Append' && body.entries.length > 0,
      );
    }
    expect(again).toBeDefined();
  });
});

/** How many entries each append has that goes to `peer` now. */
function appendSizes(h: Harness, peer: number): number[] {
  return Harness.sent(h.drain())
    .filter(([to]) => to === peer)
    .map(([, body]) => (body.type === 'Append' ? body.entries.flatMap((run) => run.entries).length : 0));
}
