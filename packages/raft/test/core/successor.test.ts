import type { RaftBody, RaftEpoch } from '@mosaik/wire';
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
  HEARTBEAT_MS,
  heartbeat,
  member,
  opening,
  proposeTo,
  status,
  timeoutNow,
  transfer,
} from './harness.ts';

describe('whoever succeeds a leader that hands over (Raft thesis §3.10)', () => {
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
