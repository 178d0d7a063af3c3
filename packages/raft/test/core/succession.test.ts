import type { RaftBody } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../src/core/effect.ts';
import {
  command,
  ELECTION_MS,
  encode,
  epochOf,
  following,
  forward,
  Harness,
  heartbeat,
  id,
  opening,
  propose,
  proposeTo,
  status,
  timeoutNow,
  transfer,
} from './harness.ts';

const old = [{ epoch: epochOf(1, 1), entries: [opening(3), command('a')] }];

describe('a follower whose leader hands over (Raft thesis §3.10)', () => {
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
    'told so (next: %i), does not wait for what its leader says to what is on the way to it',
    (next) => {
      const h = following();
      proposeTo(h, 1, 'x');
      expect(Harness.sent(h.run())).toEqual([[1, forward(epochOf(1, 1), 1, [[encode('x')]])]]);
      h.receive(1, timeoutNow(1, next));
      expect(h.run()).toContainEqual({ type: 'uncertain', first: 1, count: 1 });
      // It has it in hand again, under the same number: the answer to the first one is about nothing.
      proposeTo(h, 1, 'x');
      h.run();
      h.receive(1, { type: 'Refused', first: 1, count: 1, reason: { type: 'Moving' } });
      h.receive(1, { type: 'Forwarded', first: 1, count: 1, epoch: epochOf(1, 1), index: 3 });
      expect(h.run()).toEqual([]);
    },
  );

  test('does not wait for an answer of a leader that was replaced', () => {
    const h = following();
    h.receive(1, timeoutNow(1, 2));
    proposeTo(h, 1, 'x');
    h.run();
    const heard = (term: number, from: number) => {
      h.receive(from, heartbeat(term, from));
      return h.run();
    };
    // It went to the one that got the vote; that one leads, and has to say.
    expect(heard(2, 2)).not.toContainEqual(expect.objectContaining({ type: 'uncertain' }));
    expect(heard(3, 1)).toContainEqual({ type: 'uncertain', first: 1, count: 1 });
  });

  test('takes what a leader says that it took only in the epoch that it was sent for', () => {
    const h = following();
    proposeTo(h, 1, 'x');
    h.run();
    const forwarded = (term: number): RaftBody => ({
      type: 'Forwarded',
      first: 1,
      count: 1,
      epoch: epochOf(term, 1),
      index: 9,
    });
    h.receive(1, forwarded(0));
    expect(h.run()).toEqual([]);
    h.receive(1, forwarded(1));
    expect(h.run()).toEqual([{ ...forwarded(1), type: 'accepted' }]);
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
});
