import type { RaftEpoch, RaftRequest } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../src/core/effect.ts';
import {
  command,
  ELECTION_MS,
  encode,
  epochOf,
  forward,
  Harness,
  HEARTBEAT_MS,
  id,
  opening,
  propose,
  proposeTo,
  status,
  transfer,
} from './harness.ts';

const old = [{ epoch: epochOf(1, 1), entries: [opening(3), command('a')] }];

/** Leads three members; its opening stands at index 3. */
const leading = (): Harness => {
  const h = new Harness({ term: 1, log: old });
  h.lead();
  return h;
};
const request = (h: Harness, what: RaftRequest, number = 1) =>
  h.input({ type: 'request', request: number, what });
/** Who was told that leadership is handed over, and to whom. */
const told = (effects: readonly Effect[]) =>
  Harness.sent(effects).flatMap(([to, body]) =>
    body.type === 'TimeoutNow' ? [{ to, next: body.next.leader }] : [],
  );
const handedTo = (index: number) => [1, 2].map((to) => ({ to, next: id(index) }));

describe('a leader that hands over (Raft thesis §3.10)', () => {
  test('votes for its target as soon as that is level, not before, and tells everybody', () => {
    const h = leading();
    const { epoch, term } = h.state;
    h.ack(2, 3);
    transfer(h, 1);
    expect(told(h.run())).toEqual([]);
    const turn = h.ack(1, 3);
    expect(told(turn)).toEqual(handedTo(1));
    expect(h.state).toMatchObject({
      role: 'follower',
      term: term + 1,
      vote: { term: term + 1, leader: id(1) },
    });
    const body = { type: 'TimeoutNow' as const, epoch, last: 3, next: h.state.vote, leaving: false };
    expect(turn.filter(({ type }) => type === 'send')).toContainEqual(
      expect.objectContaining({ to: id(1), lane: 'bulk', message: expect.objectContaining({ body }) }),
    );
  });

  test('says so at once, and gives its vote, with what waits, right behind that when it is durable', () => {
    const h = leading();
    h.ack(1, 3);
    transfer(h, 1);
    proposeTo(h, 1, 'x');
    const before = h.drain();
    const { vote, term } = h.state;
    expect(before).toContainEqual(
      expect.objectContaining({
        type: 'persist',
        write: expect.objectContaining({ hardState: expect.objectContaining({ vote }) }),
      }),
    );
    expect(told(before)).toEqual(handedTo(1));
    expect(Harness.sent(before).map(([, { type }]) => type)).not.toContain('VoteResponse');
    const after = h.persist();
    expect(Harness.sent(after)).toEqual([
      [1, { type: 'VoteResponse', epoch: vote, pre: false, term, verdict: { type: 'Granted' } }],
      [1, forward(vote as RaftEpoch, 1, [[encode('x')]])],
    ]);
    expect(after.flatMap((effect) => (effect.type === 'send' ? [effect.lane] : []))).toEqual([
      'bulk',
      'bulk',
    ]);
  });

  test('tells members only', () => {
    const h = leading();
    h.bond(7);
    h.receive(7, status({ term: 1, joining: true }));
    h.run();
    h.ack(1, 3);
    transfer(h, 1);
    expect(told(h.run())).toEqual(handedTo(1));
  });

  test.each([
    ['two members', 2],
    ['three, one of them gone', 3],
  ])('of %s, leads on until its successor asks: without that nobody could be elected', (_, size) => {
    const h = new Harness({
      size,
      term: 1,
      log: [{ epoch: epochOf(1, 1), entries: [opening(size), command('a')] }],
    });
    h.lead();
    const { epoch, term } = h.state;
    if (size === 3) h.input({ type: 'bond-down', peer: id(2), departed: false });
    h.ack(1, 3);
    transfer(h, 1);
    expect(told(h.run())).toEqual([{ to: 1, next: id(1) }]);
    expect(h.state.role).toBe('leader');
    const next = { ...epochOf(term + 1, 1), nonce: 77n };
    h.receive(1, {
      type: 'VoteRequest',
      epoch: next,
      pre: false,
      side: h.state.side,
      lastTerm: term,
      lastIndex: 3,
      forced: undefined,
      transfer: epoch,
    });
    expect(Harness.sent(h.run())).toContainEqual([
      1,
      expect.objectContaining({ verdict: { type: 'Granted' } }),
    ]);
    expect(h.state).toMatchObject({ role: 'follower', vote: next });
  });

  test('does not hand over to one that was silent for two heartbeats, until it is heard again', () => {
    const h = leading();
    h.ack(1, 3);
    h.run();
    for (let i = 0; i < 3; i += 1) {
      h.advance(HEARTBEAT_MS);
      h.ack(2, 3);
    }
    transfer(h, 1);
    expect(told(h.run())).toEqual([]);
    expect(told(h.ack(1, 3))).toEqual(handedTo(1));
  });

  test('not to one that has a lot on the way to it', () => {
    const h = leading();
    h.ack(1, 3);
    h.ack(2, 3);
    h.input(propose(1, [[new Uint8Array(100_000)]]));
    h.run();
    transfer(h, 1);
    expect(told(h.run())).toEqual([]);
    h.ack(2, 4);
    expect(told(h.ack(1, 4))).toEqual(handedTo(1));
  });

  test('gives its successor an election timeout, however late it hands over', () => {
    const h = leading();
    h.ack(2, 3);
    transfer(h, 1);
    h.run();
    for (let i = 0; i < 13; i += 1) {
      h.advance(30);
      h.ack(2, 3);
    }
    h.nowMs += 9;
    expect(told(h.ack(1, 3))).toEqual(handedTo(1));
    expect(Harness.sent(h.advance(1))).toEqual([]);
    expect(Harness.sent(h.advance(ELECTION_MS)).map(([, { type }]) => type)).toContain('VoteRequest');
  });

  test('chooses whoever is level when nobody is named', () => {
    const h = leading();
    h.ack(2, 3);
    transfer(h);
    expect(told(h.run())).toEqual(handedTo(2));
  });

  test('appends nothing meanwhile: what it is asked for goes to the next leader, in order', () => {
    const h = leading();
    const { epoch } = h.state;
    h.ack(1, 3);
    transfer(h, 1);
    proposeTo(h, 1, 'first');
    proposeTo(h, 2, 'second');
    const turn = h.run();
    expect(h.state.log.last).toBe(3);
    const next = h.state.vote as RaftEpoch;
    const sent = turn.filter((effect) => effect.type === 'send');
    // Right behind what tells it that it is to lead, so not on the other lane, which may be faster.
    const order = sent
      .filter(({ to, lane }) => to === id(1) && lane === 'bulk')
      .map(({ message }) => message.body);
    expect(order.slice(-4)).toEqual([
      expect.objectContaining({ type: 'TimeoutNow' }),
      expect.objectContaining({ type: 'VoteResponse' }),
      forward(next, 1, [[encode('first')]]),
      forward(next, 2, [[encode('second')]]),
    ]);
    h.receive(1, {
      type: 'Append',
      epoch: next,
      side: undefined,
      prev: { epoch: epoch as never, index: 3 },
      entries: [{ epoch: next, entries: [opening(3)] }],
      commit: 0,
      round: 0,
      durable: 0,
    });
    expect(h.run()).toContainEqual({ type: 'request-done', request: 1 });
  });

  test('goes on by itself when nobody was level within an election timeout', () => {
    const h = leading();
    transfer(h, 1);
    proposeTo(h, 1, 'x');
    h.run();
    h.nowMs += ELECTION_MS;
    h.ack(2, 3);
    const turn = h.advance(0);
    expect(turn).toContainEqual({ type: 'request-refused', request: 1, reason: 'NotElected' });
    expect(turn).toContainEqual(expect.objectContaining({ type: 'accepted', first: 1, count: 1, index: 4 }));
    expect(h.state.role).toBe('leader');
  });

  test.each(['an election timeout passed', 'the bond with it is lost', 'it failed'])(
    'campaigns itself when its successor does not lead and %s; what waits goes on waiting',
    (what) => {
      const h = leading();
      h.ack(1, 3);
      transfer(h, 1);
      h.run();
      if (what === 'an election timeout passed') h.nowMs += ELECTION_MS;
      else if (what === 'it failed') h.receive(1, status({ term: 3, stopped: true }));
      else h.input({ type: 'bond-down', peer: id(1), departed: false });
      const turn = h.advance(0);
      expect(turn).toContainEqual({ type: 'request-refused', request: 1, reason: 'NotElected' });
      expect(Harness.sent(turn)).toContainEqual([
        2,
        expect.objectContaining({ type: 'VoteRequest', pre: true }),
      ]);
      proposeTo(h, 2, 'y');
      expect(h.run()).not.toContainEqual(expect.objectContaining({ type: 'refused' }));
    },
  );

  test('goes on at once when the bond with the one that was named is lost', () => {
    const h = leading();
    transfer(h, 1);
    proposeTo(h, 1, 'x');
    h.run();
    h.input({ type: 'bond-down', peer: id(1), departed: false });
    const turn = h.run();
    expect(turn).toContainEqual({ type: 'request-refused', request: 1, reason: 'NotElected' });
    expect(turn).toContainEqual(expect.objectContaining({ type: 'accepted', first: 1 }));
  });

  test('tells followers to wait with what they forward', () => {
    const h = leading();
    const { epoch } = h.state;
    h.ack(1, 3);
    transfer(h, 1);
    h.run();
    h.receive(2, forward(epoch as never, 7, [[encode('x')], [encode('y')]]));
    expect(Harness.sent(h.run())).toEqual([
      [2, { type: 'Refused', first: 7, count: 2, reason: { type: 'Moving' } }],
    ]);
  });

  test('keeps its own reads for the next leader; others are told to wait with theirs', () => {
    const h = leading();
    h.ack(1, 3);
    h.input({ type: 'read', first: 1, count: 2 });
    h.receive(2, { type: 'ReadRequest', read: 9 });
    h.run();
    transfer(h, 1);
    const turn = h.run();
    expect(turn).not.toContainEqual(expect.objectContaining({ type: 'read-refused' }));
    expect(Harness.sent(turn)).toContainEqual([
      2,
      { type: 'ReadRefused', read: 9, reason: { type: 'Moving' } },
    ]);
    h.receive(2, { type: 'ReadRequest', read: 10 });
    expect(Harness.sent(h.run())).toContainEqual([
      2,
      { type: 'ReadRefused', read: 10, reason: { type: 'Moving' } },
    ]);
    const next = h.state.vote as RaftEpoch;
    h.receive(1, {
      type: 'Append',
      epoch: next,
      side: undefined,
      prev: { epoch: h.state.log.epochAt(3) as RaftEpoch, index: 3 },
      entries: [{ epoch: next, entries: [opening(3)] }],
      commit: 0,
      round: 0,
      durable: 0,
    });
    expect(Harness.sent(h.run())).toContainEqual([1, { type: 'ReadRequest', read: 1 }]);
  });

  test('refuses its reads when nobody leads in time', () => {
    const h = leading();
    h.ack(1, 3);
    transfer(h, 1);
    h.run();
    h.input({ type: 'read', first: 1, count: 1 });
    h.run();
    const turns = [...h.advance(ELECTION_MS), ...h.advance(ELECTION_MS), ...h.advance(ELECTION_MS)];
    expect(turns).toContainEqual({ type: 'read-refused', first: 1, count: 1, reason: 'Offline' });
    expect(h.state.reads.size).toBe(0);
  });

  test('holds back a bounded amount', () => {
    const h = new Harness({ term: 1, log: old, limits: { maxForwardBytes: 100 } });
    h.lead();
    transfer(h);
    h.input(propose(1, [[new Uint8Array(80)]]));
    h.input(propose(2, [[new Uint8Array(80)]]));
    expect(h.run()).toContainEqual({ type: 'refused', first: 2, count: 1, reason: 'Overloaded' });
  });

  test.each([
    ['somebody who is not in the set', 7, 'NotAVoter'],
    ['itself', 0, undefined],
  ] as const)('to %s: answers at once', (_, to, reason) => {
    const h = leading();
    transfer(h, to);
    expect(h.run()).toContainEqual(
      reason ? { type: 'request-refused', request: 1, reason } : { type: 'request-done', request: 1 },
    );
    expect(h.state.transfer).toBeUndefined();
  });

  test('refuses a second one while the first is under way', () => {
    const h = leading();
    transfer(h, 1);
    request(h, { type: 'Transfer', to: id(2) }, 2);
    expect(h.run()).toContainEqual({ type: 'request-refused', request: 2, reason: 'ChangeInProgress' });
  });
});
