import type { RaftBody } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
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
} from './harness.ts';

type Append = Extract<RaftBody, { type: 'Append' }>;

/** Leads three, all level at index 5. */
const leading = (): Harness => {
  const h = new Harness({
    term: 1,
    log: [{ epoch: epochOf(1, 1), entries: [opening(3), command('a'), command('b'), command('c')] }],
  });
  h.lead();
  for (const from of [1, 2]) h.ack(from, 5);
  return h;
};
const appendsTo = (h: Harness, to: number, effects = h.run()): Append[] =>
  Harness.sent(effects).flatMap(([peer, body]) => (peer === to && body.type === 'Append' ? [body] : []));
/** Follower 1 says that its log ends at `last`, and rejects everything beyond. */
const reject = (h: Harness, prev: number, last: number): Append[] => {
  h.receive(1, {
    type: 'Appended',
    epoch: h.state.epoch as never,
    term: h.state.term,
    match: 0,
    round: 0,
    reject: { prev, last, runs: h.core.log.runsUpTo(last) },
  });
  return appendsTo(h, 1);
};

describe('a follower that lost what it acknowledged, under the same incarnation', () => {
  test('is not asked again and again: leader and follower exchange nothing but heartbeats', () => {
    const h = leading();
    h.input(propose(1, [[Uint8Array.of(1)]]));
    h.run();
    // Silent for a while, so that its leader takes what is on the way for lost.
    for (let waited = 0; waited < 2 * ELECTION_MS; waited += HEARTBEAT_MS) {
      h.nowMs += HEARTBEAT_MS;
      h.ack(2, 6);
      h.advance(0);
    }
    let appends = 0;
    for (let waited = 0; waited < 4 * ELECTION_MS; waited += HEARTBEAT_MS) {
      h.nowMs += HEARTBEAT_MS;
      h.ack(2, 6);
      h.input({ type: 'tick' });
      let sent = appendsTo(h, 1);
      for (let turn = 0; turn < 50 && sent.length > 0; turn += 1) {
        appends += sent.length;
        sent = sent.flatMap(({ prev }) => ((prev?.index ?? 0) > 2 ? reject(h, prev?.index ?? 0, 2) : []));
      }
    }
    expect(appends).toBeLessThan(2 * ((4 * ELECTION_MS) / HEARTBEAT_MS));
  });

  test('counts for nothing any more, and is taken out of the set', () => {
    const h = leading();
    h.ack(2, 5);
    reject(h, 5, 2);
    h.ack(2, 5);
    expect(h.core.log.members).toEqual([0, 2].map(member));
    expect(h.core.log.learners).toEqual([id(1)]);
    h.ack(2, 6);
    h.ack(1, 6);
    expect(h.core.log.members, 'it must come back as another one').toEqual([0, 2].map(member));
  });

  test('one that acknowledges what it never had is found out in the same way', () => {
    const h = leading();
    h.receive(1, {
      type: 'Appended',
      epoch: h.state.epoch as never,
      term: h.state.term,
      match: 0,
      round: 0,
      reject: {
        prev: 5,
        last: 5,
        runs: [
          { epoch: epochOf(1, 1), first: 1 },
          { epoch: epochOf(1, 2), first: 3 },
        ],
      },
    });
    h.run();
    h.ack(2, 5);
    expect(h.core.log.members).toEqual([0, 2].map(member));
  });
});

describe('a follower whose log is shorter than what was sent, not than what it acknowledged', () => {
  test('is brought level as ever', () => {
    const h = leading();
    h.input(propose(1, [[Uint8Array.of(1)], [Uint8Array.of(2)]]));
    h.run();
    h.advance(ELECTION_MS / 2);
    h.ack(2, 7);
    expect(reject(h, 7, 5).map(({ prev }) => prev?.index)).toEqual([5]);
    h.ack(1, 7);
    expect(h.core.log.members).toEqual([0, 1, 2].map(member));
  });
});
