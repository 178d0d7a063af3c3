import type { PeerId } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../src/core/effect.ts';
import type { Leadership } from '../../src/core/leadership.ts';
import {
  command,
  ELECTION_MS,
  epochOf,
  Harness,
  HEARTBEAT_MS,
  id,
  member,
  opening,
  propose,
  status,
  timeoutNow,
} from './harness.ts';

const set = (...indexes: number[]) => indexes.map(member);

/** A bonded member that is not in the set, as it describes itself. */
const outsider = (extra: Parameters<typeof status>[0] = {}) => status({ term: 1, ...extra });

/** Leads voters 0, 1 and 2; member 3 is bonded too. Its opening, at index 3, is committed unless told otherwise. */
const leading = ({ committed = true } = {}): Harness => {
  const h = new Harness({
    size: 4,
    term: 1,
    log: [{ epoch: epochOf(1, 1), entries: [opening(3), command('a')] }],
  });
  h.lead();
  h.receive(3, outsider());
  if (committed) for (const from of [1, 2]) h.ack(from, 3);
  return h;
};
const add = (h: Harness, index: number, request = 1): Effect[] => {
  h.input({ type: 'request', request, what: { type: 'AddVoter', peer: id(index) } });
  return h.run();
};
/** Whatever becomes of it. */
const askToRemove = (h: Harness, index: number, request = 1): Effect[] => {
  h.input({ type: 'request', request, what: { type: 'RemoveVoter', peer: id(index) } });
  return h.run();
};
/** Members answer the round that a new set waits for. */
const answer = (h: Harness, ...from: number[]): Effect[] => {
  const { progress, round } = h.state.leadership as Leadership;
  return from.flatMap((index) => h.ack(index, progress.get(id(index))?.match ?? 0, round));
};
/** The others answer, so it is removed. */
const remove = (h: Harness, index: number, request = 1): Effect[] => [
  ...askToRemove(h, index, request),
  ...answer(h, ...[1, 2].filter((other) => other !== index)),
];
const done = (request = 1) => ({ type: 'request-done', request });
const refused = (reason: string, request = 1) => ({ type: 'request-refused', request, reason });

describe('a voter is added', () => {
  test('as a learner first, which changes nobody’s majority', () => {
    const h = leading();
    const turn = add(h, 3);
    expect(turn).not.toContainEqual(done());
    expect(h.core.log.members).toEqual(set(0, 1, 2));
    expect(h.core.log.learners).toEqual([id(3)]);
    expect(h.ack(1, 4)).toContainEqual(done());
    expect(h.state.commit).toBe(4);
  });

  test('and counts, by an entry of its own, once it has caught up to the commit index', () => {
    const h = leading();
    add(h, 3);
    h.ack(1, 4);
    h.ack(3, 3);
    expect(h.core.log.members).toEqual(set(0, 1, 2));
    h.ack(3, 4);
    answer(h, 1, 2);
    expect(h.core.log.members).toEqual(set(0, 1, 2, 3));
    expect(h.core.log.learners).toEqual([]);
    // Three of four now.
    h.ack(1, 5);
    expect(h.state.commit).toBe(4);
    h.ack(3, 5);
    expect(h.state.commit).toBe(5);
  });

  test('twice is once: both are answered', () => {
    const h = leading();
    add(h, 3);
    h.ack(1, 4);
    expect(add(h, 3, 2)).toContainEqual(done(2));
    expect(add(h, 1, 3)).toContainEqual(done(3));
    expect(h.core.log.last).toBe(4);
  });

  test('with a warning when it is not here: a wrong id would never come', () => {
    const said = (index: number) => {
      const h = leading();
      h.input({ type: 'request', request: 1, what: { type: 'AddVoter', peer: id(index) } });
      return h.core.drain(h.nowMs).flatMap((effect) => (effect.type === 'log' ? [effect.level] : []));
    };
    expect(said(3)).toEqual(['info']);
    expect(said(5)).toEqual(['warn']);
  });

  test('but not an observer', () => {
    const h = leading();
    h.receive(3, outsider({ observer: true }));
    expect(add(h, 3)).toContainEqual(refused('NotAVoter'));
  });

  test('and is admitted again when it comes back without its log, though genesis does not list it', () => {
    const h = leading();
    add(h, 3);
    h.ack(1, 4);
    h.ack(3, 4);
    answer(h, 1, 2);
    h.ack(1, 5);
    h.ack(2, 5);
    expect(h.core.log.members).toEqual(set(0, 1, 2, 3));
    h.input({ type: 'bond-down', peer: id(3), departed: false });
    h.input({ type: 'bond-up', peer: id(3), incarnation: 77n });
    h.receive(3, outsider(), 77n);
    h.advance(HEARTBEAT_MS);
    expect(h.core.log.members).toEqual(set(0, 1, 2));
    expect(h.core.log.learners).toEqual([id(3)]);
    for (const from of [1, 2]) h.ack(from, 6);
    h.receive(
      3,
      {
        type: 'Appended',
        epoch: h.state.epoch as never,
        term: h.state.term,
        match: 6,
        round: 0,
        reject: undefined,
      },
      77n,
    );
    h.run();
    answer(h, 1, 2);
    expect(h.core.log.members).toEqual([...set(0, 1, 2), { peer: id(3), incarnation: 77n }]);
  });
});

describe('a voter is removed', () => {
  test('once the others have answered, and the rest commits it', () => {
    const h = leading();
    askToRemove(h, 2);
    expect(h.core.log.members).toEqual(set(0, 1, 2));
    answer(h, 1);
    expect(h.core.log.members).toEqual(set(0, 1));
    expect(h.state.commit).toBe(3);
    expect(h.ack(1, 4)).toContainEqual(done());
  });

  test('also while it is only a learner', () => {
    const h = leading();
    add(h, 3);
    h.ack(1, 4);
    remove(h, 3, 2);
    expect(h.core.log.learners).toEqual([]);
    expect(h.ack(1, 5)).toContainEqual(done(2));
    h.ack(3, 5);
    expect(h.core.log.members).toEqual(set(0, 1, 2));
  });

  test('but not when the others that answer are no majority of what is left', () => {
    const h = leading();
    h.nowMs += ELECTION_MS;
    h.ack(1, 3);
    h.nowMs += 1;
    expect(askToRemove(h, 1)).toContainEqual(refused('NoQuorum'));
    expect(remove(h, 2, 2)).not.toContainEqual(refused('NoQuorum', 2));
  });

  // Seed 3000350: 2 had lost its log, which nobody had noticed; then the set was 0 and what 2 had been.
  test('but not on the word of one that has not answered since: the set before it still has a majority', () => {
    const h = leading();
    askToRemove(h, 1);
    h.ack(2, 3);
    expect(h.core.log.members).toEqual(set(0, 1, 2));
    h.input({ type: 'bond-down', peer: id(2), departed: false });
    h.input({ type: 'bond-up', peer: id(2), incarnation: 77n });
    h.receive(2, outsider(), 77n);
    h.nowMs += ELECTION_MS;
    h.ack(1, 3);
    expect(h.advance(HEARTBEAT_MS)).toContainEqual(refused('NoQuorum'));
    // What forgot is a learner until it has caught up.
    expect(h.core.log.members).toEqual(set(0, 1));
    expect(h.core.log.learners).toEqual([id(2)]);
    expect(h.ack(1, 4)).not.toContainEqual(done());
    expect(h.state.commit).toBe(4);
  });

  test('but nobody, if meanwhile the set was changed otherwise', () => {
    const h = leading();
    askToRemove(h, 2);
    h.receive(2, outsider(), 77n);
    h.ack(1, 3);
    expect(h.core.log.learners).toEqual([id(2)]);
    const { round } = h.state.leadership as Leadership;
    expect(h.ack(1, 4, round)).toContainEqual(refused('ChangeInProgress'));
    expect(h.core.log.members).toEqual(set(0, 1));
  });

  test('unless the leader stands down before: then nothing was appended', () => {
    const h = leading();
    askToRemove(h, 2);
    h.receive(1, {
      type: 'Appended',
      epoch: h.state.epoch as never,
      term: 99,
      match: 0,
      round: 0,
      reject: undefined,
    });
    expect(h.run()).toContainEqual(refused('Offline'));
  });

  test('but not the last one', () => {
    const h = new Harness({ size: 1, term: 1, log: [{ epoch: epochOf(1, 0), entries: [opening(1)] }] });
    h.advance(ELECTION_MS * 3);
    expect(h.state.role).toBe('leader');
    expect(remove(h, 0)).toContainEqual(refused('NoQuorum'));
  });

  test('but nobody who is none', () => {
    expect(askToRemove(leading(), 3)).toContainEqual(refused('NotAVoter'));
  });

  test('and stores that: it never campaigns again, once that is committed', () => {
    const h = new Harness({
      term: 1,
      log: [
        { epoch: epochOf(1, 1), entries: [opening(3), { type: 'View', members: set(1, 2), learners: [] }] },
      ],
    });
    h.receive(1, {
      type: 'Append',
      epoch: epochOf(1, 1),
      side: undefined,
      prev: { epoch: epochOf(1, 1), index: 2 },
      entries: [],
      commit: 2,
      round: 0,
      durable: 2,
    });
    h.receive(1, timeoutNow(1, 0));
    const sent = [...Harness.sent(h.run()), ...Harness.sent(h.advance(60_000))];
    expect(sent.filter(([, { type }]) => type === 'VoteRequest')).toEqual([]);
  });

  test('unless that is truncated: then the former set is in force', () => {
    const h = new Harness({
      term: 1,
      log: [
        { epoch: epochOf(1, 1), entries: [opening(3), { type: 'View', members: set(1, 2), learners: [] }] },
      ],
    });
    h.receive(2, {
      type: 'Append',
      epoch: epochOf(2, 2),
      side: undefined,
      prev: { epoch: epochOf(1, 1), index: 1 },
      entries: [{ epoch: epochOf(2, 2), entries: [opening(3)] }],
      commit: 0,
      round: 0,
      durable: 0,
    });
    h.run();
    expect(h.core.log.members).toEqual(set(0, 1, 2));
  });
});

describe('the leader is removed', () => {
  test('it does not count itself, goes on until that is committed, and then hands over', () => {
    const h = leading();
    remove(h, 0);
    expect(h.core.log.members).toEqual(set(1, 2));
    h.ack(1, 4);
    expect(h.state).toMatchObject({ commit: 3, role: 'leader', transfer: undefined });
    const turn = h.ack(2, 4);
    expect(turn).toContainEqual(done());
    expect(Harness.sent(turn)).toContainEqual([1, expect.objectContaining({ type: 'TimeoutNow' })]);
    const next = epochOf(h.state.term + 1, 1);
    h.receive(1, {
      type: 'VoteRequest',
      epoch: next,
      pre: false,
      side: undefined,
      lastTerm: h.state.term,
      lastIndex: 4,
      forced: undefined,
      transfer: h.state.epoch,
    });
    h.run();
    expect(h.state).toMatchObject({ role: 'follower', term: next.term });
  });

  test('it stands down when nobody takes over, and does not come back', () => {
    const h = leading();
    remove(h, 0);
    h.ack(1, 4);
    h.ack(2, 4);
    h.input(propose(9, [[Uint8Array.of(1)]]));
    h.nowMs += ELECTION_MS;
    for (const from of [1, 2]) h.ack(from, 4);
    h.advance(0);
    expect(h.state.role).toBe('follower');
    expect(Harness.sent(h.advance(60_000)).map(([, { type }]) => type)).not.toContain('VoteRequest');
  });
});

describe('one change at a time', () => {
  test('a second one is refused until the first is committed', () => {
    const h = leading();
    add(h, 3);
    expect(remove(h, 2, 2)).toContainEqual(refused('ChangeInProgress', 2));
    h.ack(1, 4);
    expect(remove(h, 2, 3)).not.toContainEqual(refused('ChangeInProgress', 3));
  });

  // Ongaro on raft-dev, 2015: the former leader's change and this one's could both be committed, by disjoint majorities.
  test('none before an entry of the leader’s own epoch is committed (erratum of the thesis, §4.1)', () => {
    const h = leading({ committed: false });
    expect(add(h, 3)).toContainEqual(refused('ChangeInProgress'));
    expect(remove(h, 2, 2)).toContainEqual(refused('ChangeInProgress', 2));
    h.ack(1, 3);
    add(h, 3, 3);
    expect(h.core.log.learners).toEqual([id(3)]);
  });

  test('none while leadership is handed over', () => {
    const h = leading();
    h.input({ type: 'request', request: 5, what: { type: 'Transfer', to: id(3 - 1) } });
    h.input({ type: 'request', request: 1, what: { type: 'RemoveVoter', peer: id(1) } });
    expect(h.run()).toContainEqual(refused('ChangeInProgress'));
  });

  test('who asked another member is answered by the leader, when it is committed', () => {
    const h = leading();
    h.receive(2, { type: 'Request', request: 40, what: { type: 'AddVoter', peer: id(3) } });
    expect(Harness.sent(h.run()).map(([, { type }]) => type)).not.toContain('RequestDone');
    expect(Harness.sent(h.ack(1, 4))).toContainEqual([2, { type: 'RequestDone', request: 40 }]);
  });

  test('a leader that is deposed before does not know what will become of it', () => {
    const h = leading();
    add(h, 3);
    h.receive(1, {
      type: 'Appended',
      epoch: h.state.epoch as never,
      term: 99,
      match: 0,
      round: 0,
      reject: undefined,
    });
    expect(h.run()).toContainEqual({ type: 'request-unknown', request: 1 });
  });

  test('a group whose set follows the bonds refuses', () => {
    const h = new Harness({
      mode: 'dynamic',
      size: 2,
      term: 1,
      log: [{ epoch: epochOf(1, 0), entries: [opening(2, true)] }],
    });
    h.lead();
    h.ack(1, 2);
    expect(add(h, 3)).toContainEqual(refused('NotAVoter'));
  });

  test('an opening repeats the set and its learners', () => {
    const learners: PeerId[] = [id(3)];
    const h = new Harness({
      term: 1,
      log: [
        { epoch: epochOf(1, 1), entries: [opening(3), { type: 'View', members: set(0, 1, 2), learners }] },
      ],
    });
    h.lead();
    expect(h.core.log.entryAt(3)).toEqual({
      type: 'Opening',
      forced: false,
      members: set(0, 1, 2),
      learners,
    });
  });
});

describe('a member that its own log removes', () => {
  const removed = (committed: number) => {
    const h = new Harness({
      size: 2,
      term: 1,
      log: [
        {
          epoch: epochOf(1, 1),
          entries: [opening(2), { type: 'View', members: set(1), learners: [] }],
        },
      ],
    });
    h.receive(1, {
      type: 'Append',
      epoch: epochOf(1, 1),
      side: undefined,
      prev: { epoch: epochOf(1, 1), index: 2 },
      entries: [],
      commit: committed,
      round: 0,
      durable: 0,
    });
    h.run();
    return h;
  };
  const asked = (h: Harness) =>
    Harness.sent(h.advance(3 * ELECTION_MS)).filter(([, body]) => body.type === 'VoteRequest');

  test('campaigns while that may not be committed, and needs the votes of the others (thesis §4.2.2)', () => {
    const h = removed(1);
    const [[to, request] = []] = asked(h);
    expect(to).toBe(1);
    expect(h.state.role).toBe('candidate');
    if (request?.type !== 'VoteRequest') throw new Error('asks nobody');
    h.receive(1, {
      type: 'VoteResponse',
      epoch: request.epoch,
      pre: true,
      term: 1,
      verdict: { type: 'Granted' },
    });
    h.run();
    expect(h.state.campaign?.pre).toBe(false);
    expect(h.state.role).toBe('candidate');
  });

  test('never campaigns once it is committed', () => {
    expect(asked(removed(2))).toEqual([]);
  });
});
