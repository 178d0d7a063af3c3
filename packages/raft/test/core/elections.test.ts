import { type RaftBody, RaftMessage } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { command, ELECTION_MS, epochOf, Harness, id, member, opening, status } from './harness.ts';

const log = [{ epoch: epochOf(1, 1), entries: [opening(3), command('a'), command('b')] }];

const request = (term: number, from: number, lastTerm: number, lastIndex: number, pre = false) =>
  ({
    type: 'VoteRequest',
    epoch: epochOf(term, from),
    pre,
    side: undefined,
    lastTerm,
    lastIndex,
    forced: undefined,
    transfer: undefined,
  }) as const;

const verdict = (
  type: 'Granted' | 'Denied' | 'Ahead' | 'Abstained',
  term: number,
  epoch: object,
  pre = false,
) => ({ type: 'VoteResponse', epoch, pre, term, verdict: { type } }) as const;

describe('a voter', () => {
  test('grants once its vote is durable, and not before (Raft §5.2)', () => {
    const h = new Harness({ term: 1, log });
    h.receive(1, request(2, 1, 1, 3));
    const turn = h.drain();
    expect(Harness.sent(turn)).toEqual([]);
    expect(turn).toContainEqual(
      expect.objectContaining({
        type: 'persist',
        write: { hardState: { incarnation: 1000n, term: 2, vote: epochOf(2, 1) } },
      }),
    );
    expect(Harness.sent(h.persist())).toEqual([[1, verdict('Granted', 2, epochOf(2, 1))]]);
  });

  test('gives one vote per term, also to another epoch of the same candidate (Raft §5.2; S7)', () => {
    const h = new Harness({ term: 2, vote: epochOf(2, 1), log });
    h.receive(2, request(2, 2, 1, 3));
    expect(Harness.sent(h.run())).toEqual([[2, verdict('Denied', 2, epochOf(2, 2))]]);
    h.receive(1, { ...request(2, 1, 1, 3), epoch: { ...epochOf(2, 1), nonce: 9n } });
    expect(Harness.sent(h.run())[0]?.[1]).toMatchObject({ verdict: { type: 'Denied' } });
    h.receive(1, request(2, 1, 1, 3));
    expect(Harness.sent(h.run())[0]?.[1]).toMatchObject({ verdict: { type: 'Granted' } });
  });

  test.each([
    ['a longer log of an older term', 1, 9, 'Ahead'],
    ['a shorter log of the same term', 2, 2, 'Ahead'],
    ['the same log', 2, 3, 'Granted'],
    ['a shorter log of a later term', 3, 1, 'Granted'],
  ] as const)(
    'compares the last term, then the length: %s (Raft §5.4.1)',
    (_, lastTerm, lastIndex, expected) => {
      const h = new Harness({
        term: 2,
        log: [{ epoch: epochOf(2, 1), entries: [opening(3), command('a'), command('b')] }],
      });
      h.receive(2, request(4, 2, lastTerm, lastIndex));
      expect(Harness.sent(h.run())).toEqual([[2, verdict(expected, 4, epochOf(4, 2))]]);
    },
  );

  test('a pre-vote changes no term and binds nobody (Raft thesis §9.6)', () => {
    const h = new Harness({ term: 1, log });
    for (const from of [1, 2]) {
      h.receive(from, request(2, from, 1, 3, true));
      const turn = h.run();
      expect(turn.filter(({ type }) => type === 'persist')).toEqual([]);
      expect(Harness.sent(turn)).toEqual([[from, verdict('Granted', 1, epochOf(2, from), true)]]);
    }
    expect(h.state).toMatchObject({ term: 1, vote: undefined });
  });

  test('does not help to depose a leader that it hears (W3, W16, W34)', () => {
    const h = new Harness({ term: 1, log });
    const heartbeat = {
      type: 'Append' as const,
      epoch: epochOf(1, 1),
      side: undefined,
      prev: { epoch: epochOf(1, 1), index: 3 },
      entries: [],
      commit: 3,
      round: 0,
      durable: 0,
    } satisfies RaftBody;
    h.receive(1, heartbeat);
    h.run();
    h.receive(2, request(7, 2, 1, 3));
    expect(Harness.sent(h.run())).toEqual([]);
    expect(h.state).toMatchObject({ term: 1, leader: id(1) });
    h.nowMs += ELECTION_MS;
    h.receive(2, request(7, 2, 1, 3));
    expect(Harness.sent(h.run())[0]?.[1]).toMatchObject({ verdict: { type: 'Granted' } });
  });

  test('an observer abstains and never campaigns', () => {
    const h = new Harness({ mode: 'dynamic', observer: true });
    h.receive(1, request(1, 1, 0, 0));
    expect(Harness.sent(h.run())).toEqual([[1, verdict('Abstained', 0, epochOf(1, 1))]]);
    expect(Harness.sent(h.advance(60_000))).toEqual([]);
  });
});

describe('a candidate', () => {
  test('asks first, then votes for itself durably, then asks for votes (Raft §5.2, thesis §9.6)', () => {
    const h = new Harness({ term: 1, log });
    h.nowMs = 2000;
    h.input({ type: 'tick' });
    const asked = Harness.sent(h.drain());
    expect(asked.map(([to, body]) => [to, body.type, 'pre' in body && body.pre])).toEqual([
      [1, 'VoteRequest', true],
      [2, 'VoteRequest', true],
    ]);
    expect(h.state.term).toBe(1);
    const [, first] = asked[0] as [number, Extract<(typeof asked)[0][1], { type: 'VoteRequest' }>];
    h.receive(1, verdict('Granted', 1, first.epoch, true) as never);
    expect(Harness.sent(h.drain())).toEqual([]);
    expect(h.state).toMatchObject({ term: 2, role: 'candidate' });
    expect(Harness.sent(h.persist()).map(([to, body]) => [to, body.type])).toEqual([
      [1, 'VoteRequest'],
      [2, 'VoteRequest'],
    ]);
  });

  test('an amnesiac does not count: an answer of another incarnation wins nothing (Incarnation)', () => {
    const h = new Harness({ term: 1, log });
    h.nowMs = 2000;
    h.input({ type: 'tick' });
    const [[, body]] = Harness.sent(h.run()) as unknown as [[number, { epoch: object }]];
    h.receive(1, verdict('Granted', 1, body.epoch, true) as never, 77n);
    h.run();
    expect(h.state).toMatchObject({ role: 'candidate', term: 1 });
  });

  test('draws a new timeout for every campaign (fluree #1845)', () => {
    const h = new Harness({ term: 1, log });
    const waits = new Set<number>();
    for (let i = 0; i < 20; i += 1) {
      h.nowMs = h.state.electionDeadlineMs;
      h.input({ type: 'tick' });
      h.run();
      waits.add(h.state.electionDeadlineMs - h.nowMs);
    }
    expect(waits.size).toBe(20);
    for (const wait of waits) {
      expect(wait).toBeGreaterThanOrEqual(ELECTION_MS);
      expect(wait).toBeLessThan(ELECTION_MS + 100);
    }
  });

  test('a majority of three elects; the opening entry repeats the set and is not forced', () => {
    const h = new Harness({ term: 1, log });
    const epoch = h.lead();
    expect(h.core.log.entryAt(4)).toEqual({
      type: 'Opening',
      forced: false,
      members: [0, 1, 2].map(member),
      learners: [],
    });
    expect(h.core.log.epochAt(4)).toEqual(epoch);
  });

  test('whoever is not in the set of its log does not campaign (amnesiac rule, voters)', () => {
    const h = new Harness({
      term: 1,
      log: [
        {
          epoch: epochOf(1, 1),
          entries: [{ type: 'Opening', forced: false, members: [1, 2].map(member), learners: [] }],
        },
      ],
    });
    expect(Harness.sent(h.advance(60_000))).toEqual([]);
    expect(h.state.role).toBe('follower');
  });
});

describe('genesis of a fixed set', () => {
  test('waits until every listed voter was met and reported an empty log', () => {
    const h = new Harness();
    h.receive(1, status());
    expect(Harness.sent(h.advance(5000))).toEqual([]);
    h.receive(2, status());
    expect(Harness.sent(h.advance(5000)).map(([, body]) => body.type)).toEqual([
      'VoteRequest',
      'VoteRequest',
    ]);
  });

  test('needs the vote of every one of them: a majority is not safe while logs can be forgotten', () => {
    const h = new Harness();
    for (const from of [1, 2]) h.receive(from, status());
    const [[, body]] = Harness.sent(h.advance(5000)) as unknown as [[number, { epoch: object }]];
    h.receive(1, verdict('Granted', 0, body.epoch, true) as never);
    h.run();
    expect(h.state).toMatchObject({ role: 'candidate', term: 0 });
    h.receive(2, verdict('Granted', 0, body.epoch, true) as never);
    h.run();
    expect(h.state).toMatchObject({ role: 'candidate', term: 1 });
  });

  test('a bonded member with a log is joined, never outvoted', () => {
    const h = new Harness();
    h.receive(1, status());
    h.receive(2, status({ last: { epoch: epochOf(1, 2), index: 1 } }));
    expect(Harness.sent(h.advance(60_000))).toEqual([]);
  });
});

test('an epoch is forced by as many founders as a message can name, however many are bonded', () => {
  const h = new Harness({ mode: 'dynamic', size: 65 });
  for (let peer = 1; peer <= 64; peer += 1) h.receive(peer, status());
  h.run();
  const asked = Harness.sent(h.advance(10 * ELECTION_MS)).filter(([, { type }]) => type === 'VoteRequest');
  expect(asked).toHaveLength(63);
  for (const [, body] of asked) expect(() => RaftMessage.encode({ incarnation: 1n, body })).not.toThrow();
});
