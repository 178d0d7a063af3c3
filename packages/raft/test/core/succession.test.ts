import type { RaftBody, RaftEpoch } from '@mosaik/wire';
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
  member,
  opening,
  propose,
  proposeTo,
  status,
  timeoutNow,
  transfer,
} from './harness.ts';

const old = [{ epoch: epochOf(1, 1), entries: [opening(3), command('a')] }];

describe('a follower whose leader hands over (Raft thesis §3.10)', () => {
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

  test('goes on behind its opening entry without hearing that the others have that', () => {
    const h = following();
    h.receive(1, timeoutNow(1, 0));
    h.receive(1, granted());
    h.run();
    expect(h.state).toMatchObject({ role: 'leader', term: 2 });
    proposeTo(h, 1, 'x');
    const appends = Harness.sent(h.run());
    expect(appends).toEqual([
      [1, expect.objectContaining({ type: 'Append', prev: { epoch: epochOf(2, 0), index: 3 } })],
      [2, expect.objectContaining({ type: 'Append', prev: { epoch: epochOf(2, 0), index: 3 } })],
    ]);
    // One of them had not got all that the old leader sent: from there on, again, whatever it says of heartbeats.
    const runs = [{ epoch: epochOf(1, 1), first: 1 }];
    for (const reject of [{ prev: 2, last: 1, runs }, { prev: 3, last: 1, runs }, undefined])
      h.receive(2, {
        type: 'Appended',
        epoch: h.state.epoch as RaftEpoch,
        term: 2,
        match: 0,
        round: 0,
        reject,
      });
    expect(Harness.sent(h.run())).toEqual([
      [2, expect.objectContaining({ type: 'Append', prev: { epoch: epochOf(1, 1), index: 1 } })],
    ]);
  });

  test('hands over only to one that has acknowledged what is its own', () => {
    const h = following();
    h.receive(1, timeoutNow(1, 0));
    h.receive(1, granted());
    h.run();
    transfer(h, 2);
    const told = (effects: readonly Effect[]) =>
      Harness.sent(effects).filter(([, { type }]) => type === 'TimeoutNow');
    // What it says of a heartbeat: it is there, not what it has.
    expect(told(h.ack(2, 0))).toEqual([]);
    expect(told(h.ack(2, 2))).toEqual([]);
    expect(told(h.ack(2, 3))).toHaveLength(2);
  });

  test('asks with its heartbeats, too, whether the others have what is before it', () => {
    const h = following();
    h.receive(1, timeoutNow(1, 0));
    h.receive(1, granted());
    h.run();
    expect(Harness.sent(h.advance(HEARTBEAT_MS))).toContainEqual([
      2,
      expect.objectContaining({ type: 'Append', entries: [], prev: { epoch: epochOf(1, 1), index: 2 } }),
    ]);
  });

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
