import type { RaftBody, RaftEpoch, RaftRequest } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../src/core/effect.ts';
import {
  command,
  ELECTION_MS,
  epochOf,
  forward,
  Harness,
  HEARTBEAT_MS,
  id,
  member,
  opening,
  propose,
  status,
  timeoutNow,
} from './harness.ts';

const encode = (text: string) => new TextEncoder().encode(text);
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
const transfer = (h: Harness, to?: number) =>
  request(h, { type: 'Transfer', to: to === undefined ? undefined : id(to) });
const proposeTo = (h: Harness, first: number, text: string) => h.input(propose(first, [[encode(text)]]));

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
    const body = { type: 'TimeoutNow' as const, epoch, last: 3, next: h.state.vote };
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

describe('a follower', () => {
  const following = () => {
    const h = new Harness({ term: 1, log: old });
    h.receive(1, heartbeat(1, 1));
    h.run();
    return h;
  };
  const heartbeat = (term: number, from: number) =>
    ({
      type: 'Append',
      epoch: epochOf(term, from),
      side: undefined,
      prev: { epoch: epochOf(1, 1), index: 2 },
      entries: [],
      commit: 0,
      round: 0,
      durable: 0,
    }) as never;

  test('asks its leader for a transfer, and takes the answer from nobody else', () => {
    const h = following();
    transfer(h, 2);
    expect(Harness.sent(h.run())).toEqual([
      [1, { type: 'Request', request: 1, what: { type: 'Transfer', to: id(2) } }],
    ]);
    h.receive(2, { type: 'RequestDone', request: 1 });
    expect(h.run()).toEqual([]);
    h.receive(1, { type: 'RequestDone', request: 1 });
    expect(h.run()).toEqual([{ type: 'request-done', request: 1 }]);
    h.receive(1, { type: 'RequestDone', request: 1 });
    expect(h.run()).toEqual([]);
  });

  test('does not know what became of a request when the bond with its leader is lost', () => {
    const h = following();
    transfer(h);
    h.run();
    h.input({ type: 'bond-down', peer: id(1), departed: false });
    expect(h.run()).toContainEqual({ type: 'request-unknown', request: 1 });
  });

  test('forwards again to the next leader what the old one turned away while moving', () => {
    const h = following();
    proposeTo(h, 1, 'x');
    proposeTo(h, 2, 'y');
    h.run();
    h.receive(1, { type: 'Refused', first: 1, count: 1, reason: { type: 'Moving' } });
    proposeTo(h, 3, 'z');
    h.receive(1, { type: 'Refused', first: 2, count: 1, reason: { type: 'Moving' } });
    expect(h.run()).toEqual([]);
    h.receive(2, heartbeat(2, 2));
    expect(
      Harness.sent(h.run()).flatMap(([to, body]) => (body.type === 'Forward' ? [[to, body.first]] : [])),
    ).toEqual([
      [2, 1],
      [2, 2],
      [2, 3],
    ]);
  });

  test.each(['is told of the handover', 'is refused what it asked'])(
    '%s: its reads go to the next leader',
    (what) => {
      const h = following();
      h.input({ type: 'read', first: 1, count: 3 });
      expect(Harness.sent(h.run())).toEqual([[1, { type: 'ReadRequest', read: 1 }]]);
      if (what === 'is told of the handover') h.receive(1, timeoutNow(1, 2));
      else h.receive(1, { type: 'ReadRefused', read: 1, reason: { type: 'Moving' } });
      const turn = h.run();
      h.input({ type: 'read', first: 4, count: 1 });
      turn.push(...h.run());
      if (what === 'is refused what it asked') {
        // As far as it knows that one leads on.
        expect(Harness.sent(turn)).toEqual([[1, { type: 'ReadRequest', read: 4 }]]);
        h.receive(1, { type: 'ReadRefused', read: 4, reason: { type: 'Moving' } });
        turn.push(...h.run());
      }
      expect(turn).not.toContainEqual(expect.objectContaining({ type: 'read-refused' }));
      expect(Harness.sent(turn)).not.toContainEqual([2, expect.objectContaining({ type: 'ReadRequest' })]);
      h.receive(2, heartbeat(2, 2));
      expect(Harness.sent(h.run())).toContainEqual([2, { type: 'ReadRequest', read: 1 }]);
      h.receive(2, { type: 'ReadGranted', read: 1, index: 0 });
      expect(h.run()).toContainEqual(expect.objectContaining({ type: 'read-ready', first: 1, count: 4 }));
      expect(h.state.reads.size).toBe(0);
    },
  );

  test('tries its leader again when the transfer came to nothing', () => {
    const h = following();
    proposeTo(h, 1, 'x');
    h.run();
    h.receive(1, { type: 'Refused', first: 1, count: 1, reason: { type: 'Moving' } });
    h.nowMs += ELECTION_MS;
    h.receive(1, heartbeat(1, 1));
    expect(Harness.sent(h.advance(0))).toContainEqual([
      1,
      forward(h.state.epoch as never, 1, [[encode('x')]]),
    ]);
  });

  const granted = (): RaftBody => ({
    type: 'VoteResponse',
    epoch: epochOf(2, 0),
    pre: false,
    term: 2,
    verdict: { type: 'Granted' },
  });

  test('told to succeed its leader, of three needs nobody else, once its own vote is durable', () => {
    const h = following();
    h.receive(1, timeoutNow(1, 0));
    h.receive(1, granted());
    expect(Harness.sent(h.drain())).toEqual([]);
    expect(h.state.role).toBe('candidate');
    const sent = Harness.sent([...h.persist(), ...h.run()]);
    expect(h.state).toMatchObject({ role: 'leader', epoch: epochOf(2, 0) });
    expect(sent.map(([to, { type }]) => [to, type])).toEqual([
      [1, 'Append'],
      [2, 'Append'],
    ]);
  });

  test('told so in a larger set, asks those whose vote it does not have, without a pre-vote', () => {
    const h = new Harness({
      size: 5,
      term: 1,
      log: [{ epoch: epochOf(1, 1), entries: [opening(5), command('a')] }],
    });
    h.receive(1, heartbeat(1, 1));
    h.run();
    h.receive(1, timeoutNow(1, 0));
    h.receive(1, granted());
    const request = { type: 'VoteRequest', epoch: epochOf(2, 0), pre: false, transfer: epochOf(1, 1) };
    expect(Harness.sent(h.run())).toEqual([2, 3, 4].map((to) => [to, expect.objectContaining(request)]));
  });

  test('told so by one that its set leaves out, asks the others too', () => {
    const members = [0, 2].map(member);
    const entries = [opening(3), { type: 'View' as const, members, learners: [] }];
    const h = new Harness({ term: 1, log: [{ epoch: epochOf(1, 1), entries }] });
    h.receive(1, heartbeat(1, 1));
    h.run();
    h.receive(1, timeoutNow(1, 0));
    h.receive(1, granted());
    expect(Harness.sent(h.run())).toEqual([
      [2, expect.objectContaining({ type: 'VoteRequest', pre: false })],
    ]);
    expect(h.state.role).toBe('candidate');
  });

  test('told so while it asks whether it could lead, does not ask any longer', () => {
    const h = following();
    h.receive(1, status({ term: 2, last: { epoch: epochOf(1, 1), index: 2 }, joining: false }));
    h.run();
    expect(Harness.sent(h.advance(2 * ELECTION_MS)).map(([, { type }]) => type)).toContain('VoteRequest');
    expect(h.state.campaign?.pre).toBe(true);
    h.receive(1, timeoutNow(1, 0));
    h.receive(1, granted());
    h.run();
    expect(h.state).toMatchObject({ role: 'leader', epoch: epochOf(2, 0) });
  });

  test('whose leader said on the other lane that it leads no more takes entries that it sent before', () => {
    const h = following();
    h.receive(1, status({ term: 2, last: { epoch: epochOf(1, 1), index: 3 }, joining: false }));
    h.advance(150);
    h.receive(1, {
      ...(heartbeat(1, 1) as object),
      entries: [{ epoch: epochOf(1, 1), entries: [command('b')] }],
    } as RaftBody);
    h.receive(1, timeoutNow(1, 0, 3));
    h.receive(1, granted());
    h.run();
    expect(h.state).toMatchObject({ role: 'leader', epoch: epochOf(2, 0) });
  });

  test('that failed meanwhile tells the others at once', () => {
    const h = following();
    h.receive(1, timeoutNow(1, 2));
    h.run();
    h.input({ type: 'failed', problem: 'disk full' });
    const said = h.drain().flatMap((effect) => (effect.type === 'send' ? [effect.message.body] : []));
    expect(said).toEqual(Array(2).fill(expect.objectContaining({ type: 'Status', stopped: true })));
  });

  test('sends again at once what its leader turned away before it was one', () => {
    const h = following();
    h.receive(1, timeoutNow(1, 2));
    proposeTo(h, 1, 'x');
    h.run();
    h.receive(2, heartbeat(2, 2));
    h.receive(2, { type: 'Refused', first: 1, count: 1, reason: { type: 'Moving' } });
    expect(Harness.sent(h.run())).toContainEqual([2, forward(epochOf(2, 2), 1, [[encode('x')]])]);
  });

  test('told that another one succeeds its leader, votes for that, with what waits, once that is durable', () => {
    const h = following();
    h.receive(1, timeoutNow(1, 2));
    proposeTo(h, 1, 'x');
    expect(Harness.sent(h.drain())).toEqual([]);
    expect(Harness.sent(h.persist())).toEqual([
      [2, { type: 'VoteResponse', epoch: epochOf(2, 2), pre: false, term: 2, verdict: { type: 'Granted' } }],
      [2, forward(epochOf(2, 2), 1, [[encode('x')]])],
    ]);
  });

  test.each([0, 2])(
    'is told so (next: %i) after its leader said, on the other lane, that it leads no more',
    (to) => {
      const h = following();
      h.receive(1, status({ term: 2, last: { epoch: epochOf(1, 1), index: 2 }, joining: false }));
      expect(h.state.leader).toBeUndefined();
      h.receive(1, timeoutNow(1, to));
      h.run();
      expect(h.state).toMatchObject({ term: 2, vote: epochOf(2, to) });
    },
  );

  test.each([
    ['by somebody else', 2, timeoutNow(1, 0)],
    ['by somebody else in its own name', 2, timeoutNow(2, 0)],
    ['for another epoch', 1, { ...timeoutNow(1, 0), epoch: epochOf(2, 1), next: epochOf(3, 0) }],
    ['for a term that is not the next one', 1, { ...timeoutNow(1, 0), next: epochOf(3, 0) }],
    ['when it lacks entries that its leader has', 1, timeoutNow(1, 0, 3)],
    ['to vote, for another epoch', 1, { ...timeoutNow(1, 2), epoch: epochOf(2, 1), next: epochOf(3, 2) }],
  ] as const)('told so %s, does nothing', (_, from, body) => {
    const h = following();
    h.receive(from, body as RaftBody);
    expect(h.run()).toEqual([]);
    expect(h.state).toMatchObject({ role: 'follower', term: 1, vote: undefined, leader: id(1) });
  });

  test('told so when it voted for somebody else meanwhile, does nothing', () => {
    const h = new Harness({ term: 2, vote: epochOf(2, 2), log: old });
    for (const to of [0, 1]) h.receive(1, timeoutNow(1, to));
    expect(Harness.sent(h.run()).filter(([, { type }]) => type !== 'VoteResponse')).toEqual([]);
    expect(h.state).toMatchObject({ role: 'follower', term: 2, vote: epochOf(2, 2) });
  });

  test('that is to succeed has what others send it before it knows wait at theirs', () => {
    const h = following();
    h.receive(2, forward(epochOf(2, 0), 7, [[encode('x')]]));
    expect(Harness.sent(h.run())).toEqual([
      [2, { type: 'Refused', first: 7, count: 1, reason: { type: 'Moving' } }],
    ]);
  });

  /** Member 2 campaigns, because the leader of term 1 asked it to. */
  const vote = (transferOf: number) =>
    ({
      type: 'VoteRequest',
      epoch: epochOf(2, 2),
      pre: false,
      side: undefined,
      lastTerm: 1,
      lastIndex: 2,
      forced: undefined,
      transfer: epochOf(1, transferOf),
    }) as const;

  test('helps to replace its living leader exactly when that asked for it', () => {
    const h = following();
    h.receive(2, vote(2));
    expect(Harness.sent(h.run())).toEqual([]);
    h.receive(2, vote(1));
    proposeTo(h, 1, 'while nobody leads');
    expect(Harness.sent(h.run())).toEqual([
      [2, expect.objectContaining({ verdict: { type: 'Granted' } })],
      [2, forward(epochOf(2, 2), 1, [[encode('while nobody leads')]])],
    ]);
  });

  describe('whose leader says that it leads no more', () => {
    const told = (term: number) => {
      const h = following();
      h.receive(1, status({ term, last: { epoch: epochOf(1, 1), index: 2 }, joining: false }));
      proposeTo(h, 1, 'x');
      return h;
    };

    test('waits for the one that it voted for, who may ask here later', () => {
      const h = told(2);
      expect(h.run()).not.toContainEqual(expect.objectContaining({ type: 'refused' }));
      h.receive(2, heartbeat(2, 2));
      expect(Harness.sent(h.run())).toContainEqual([2, forward(epochOf(2, 2), 1, [[encode('x')]])]);
    });

    test.each([
      ['while it campaigned', 2, undefined],
      ['while it followed the one before', 1, epochOf(1, 1)],
    ])('does not take for that what it said %s, and an append overtook', (_, term, epoch) => {
      const h = following();
      h.receive(2, heartbeat(2, 2));
      h.receive(2, status({ term, epoch, last: { epoch: epochOf(1, 1), index: 2 }, joining: false }));
      expect(h.state.leader).toBe(id(2));
      h.receive(2, status({ term: 2, last: { epoch: epochOf(2, 2), index: 3 }, joining: false }));
      expect(h.state.leader).toBeUndefined();
    });

    test('does not wait when nobody campaigned', () => {
      expect(told(1).run()).toContainEqual({ type: 'refused', first: 1, count: 1, reason: 'Offline' });
    });
  });

  describe('that voted for the next leader', () => {
    const voted = (session = 0) => {
      const h = following();
      h.input(propose(1, [[encode('x')]], session));
      h.receive(1, { type: 'Refused', first: 1, count: 1, reason: { type: 'Moving' } });
      h.run();
      h.receive(2, vote(1));
      return h;
    };
    const forwards = (effects: readonly Effect[]) =>
      Harness.sent(effects).flatMap(([to, body]) => (body.type === 'Forward' ? [[to, body.first]] : []));

    test('sends it what comes meanwhile too', () => {
      const h = voted();
      expect(forwards(h.run())).toEqual([[2, 1]]);
      proposeTo(h, 2, 'y');
      expect(forwards(h.run())).toEqual([[2, 2]]);
    });

    test('waits for whoever leads when that one was not elected, in order', () => {
      const h = voted();
      proposeTo(h, 2, 'y');
      h.run();
      h.receive(2, { type: 'Refused', first: 1, count: 1, reason: { type: 'Moving' } });
      proposeTo(h, 3, 'z');
      h.receive(2, { type: 'Refused', first: 2, count: 1, reason: { type: 'Moving' } });
      expect(forwards(h.run())).toEqual([]);
      h.receive(1, heartbeat(3, 1));
      expect(forwards(h.run())).toEqual([
        [1, 1],
        [1, 2],
        [1, 3],
      ]);
    });

    test('waits with commands of a session that it does not know to be committed', () => {
      const h = voted(2);
      expect(forwards(h.run())).toEqual([]);
      expect(h.state.commit).toBeLessThan(2);
    });
  });

  describe('that is to lead', () => {
    const campaigning = (limits = {}) => {
      const log = [{ epoch: epochOf(1, 1), entries: [opening(7), command('a')] }];
      const h = new Harness({ size: 7, term: 1, log, limits });
      h.receive(1, heartbeat(1, 1));
      h.run();
      h.receive(1, timeoutNow(1, 0));
      h.receive(1, granted());
      h.run();
      const { campaign } = h.state;
      if (!campaign) throw new Error('does not campaign');
      return { h, epoch: campaign.epoch };
    };
    const vote = (h: Harness, from: number, verdict: 'Granted' | 'Denied') => {
      const { epoch } = h.state.campaign ?? {};
      if (!epoch) throw new Error('does not campaign');
      h.receive(from, {
        type: 'VoteResponse',
        epoch,
        pre: false,
        term: epoch.term,
        verdict: { type: verdict },
      });
    };

    test('appends behind its opening entry what came with the votes, in the same message', () => {
      const { h, epoch } = campaigning();
      vote(h, 2, 'Granted');
      h.receive(2, forward(epoch, 7, [[encode('x')]]));
      expect(Harness.sent(h.run())).toEqual([]);
      vote(h, 3, 'Granted');
      h.receive(3, forward(epoch, 9, [[encode('y')]]));
      const sent = Harness.sent(h.run());
      expect(h.state.log.range(4, 5).flatMap((run) => run.entries)).toEqual([
        expect.objectContaining({ value: encode('x') }),
        expect.objectContaining({ value: encode('y') }),
      ]);
      expect(sent).toContainEqual([2, { type: 'Forwarded', first: 7, count: 1, epoch, index: 4 }]);
      expect(sent).toContainEqual([3, { type: 'Forwarded', first: 9, count: 1, epoch, index: 5 }]);
      for (const [, body] of sent)
        if (body.type === 'Append') expect(body.entries[0]?.entries).toHaveLength(3);
    });

    test('sends it back when it was not elected', () => {
      const { h, epoch } = campaigning();
      h.receive(2, forward(epoch, 7, [[encode('x')]]));
      for (const from of [2, 3, 4, 5]) vote(h, from, 'Denied');
      expect(Harness.sent(h.run())).toEqual([
        [2, { type: 'Refused', first: 7, count: 1, reason: { type: 'Moving' } }],
      ]);
    });

    test.each([
      ['bytes', { maxForwardBytes: 100 }, 80],
      ['commands', { maxUncommittedEntries: 1 }, 0],
    ])('keeps a bounded amount of it: %s', (_, limits, bytes) => {
      const { h, epoch } = campaigning(limits);
      h.receive(2, forward(epoch, 7, [[new Uint8Array(bytes)]]));
      h.receive(3, forward(epoch, 7, [[new Uint8Array(bytes)]]));
      expect(Harness.sent(h.run())).toEqual([
        [3, { type: 'Refused', first: 7, count: 1, reason: { type: 'Moving' } }],
      ]);
    });
  });
});
