import { describe, expect, test } from 'vitest';
import { Cluster, type SimNode } from '../simulation/cluster.ts';
import { command, epochOf, Harness, id, member, opening } from './harness.ts';

const log = [{ epoch: epochOf(1, 1), entries: [opening(3), command('a'), command('b')] }];
const request = (from: number, lastIndex: number, pre = true) =>
  ({
    type: 'VoteRequest',
    epoch: epochOf(2, from),
    pre,
    side: undefined,
    lastTerm: 1,
    lastIndex,
    forced: undefined,
    transfer: undefined,
  }) as const;

describe('a witness', () => {
  test('counts: with one of two data voters it commits', () => {
    const h = new Harness({ term: 1, log, witness: 2 });
    h.lead();
    h.ack(2, 4);
    expect(h.state.commit).toBe(4);
  });

  test('grants and denies by its log, as any voter', () => {
    const h = new Harness({ term: 1, log, witness: 0 });
    h.receive(1, request(1, 2));
    h.receive(2, request(2, 3));
    expect(Harness.sent(h.run()).map(([to, body]) => [to, 'verdict' in body && body.verdict.type])).toEqual([
      [1, 'Ahead'],
      [2, 'Granted'],
    ]);
  });

  test('is not elected by a data voter that is as up to date, only by one that is behind', () => {
    const h = new Harness({ term: 1, log, witness: 2 });
    h.receive(2, request(2, 3));
    expect(Harness.sent(h.run())[0]?.[1]).toMatchObject({ verdict: { type: 'Denied' } });
    h.receive(2, request(2, 4));
    expect(Harness.sent(h.run())[0]?.[1]).toMatchObject({ verdict: { type: 'Granted' } });
  });

  test('that leads takes no commands, brings one level and hands over to it', () => {
    const h = new Harness({ term: 1, log, witness: 0 });
    h.lead();
    h.receive(1, {
      type: 'Forward',
      epoch: h.state.epoch as never,
      session: 1,
      first: 1,
      ackedBelow: 1,
      keys: [],
      proposals: [[Uint8Array.of(1)]],
    });
    expect(Harness.sent(h.run())).toContainEqual([
      1,
      { type: 'Refused', first: 1, count: 1, reason: { type: 'Moving' } },
    ]);
    expect(Harness.sent(h.ack(1, 4))).toContainEqual([1, { type: 'TimeoutNow', epoch: h.state.epoch }]);
    expect(h.core.log.last).toBe(4);
  });

  test('is never handed leadership', () => {
    const h = new Harness({ term: 1, log, witness: 2 });
    h.lead();
    h.ack(2, 4);
    h.input({ type: 'request', request: 1, what: { type: 'Transfer', to: id(2) } });
    expect(h.run()).toContainEqual({ type: 'request-refused', request: 1, reason: 'NotAVoter' });
    h.input({ type: 'request', request: 2, what: { type: 'Transfer', to: undefined } });
    expect(Harness.sent(h.run()).map(([, { type }]) => type)).not.toContain('TimeoutNow');
  });

  test('is not left with less than two data voters', () => {
    const h = new Harness({ term: 1, log, witness: 2 });
    h.lead();
    h.ack(1, 4);
    h.ack(2, 4);
    h.input({ type: 'request', request: 1, what: { type: 'RemoveVoter', peer: id(1) } });
    expect(h.run()).toContainEqual({ type: 'request-refused', request: 1, reason: 'NoQuorum' });
    h.input({ type: 'request', request: 2, what: { type: 'RemoveVoter', peer: id(2) } });
    h.run();
    h.ack(1, 4, h.state.leadership?.round);
    expect(h.core.log.members).toEqual([0, 1].map(member));
  });
});

test.each([1, 2, 3, 4, 5, 6])(
  'what one data voter and the witness committed survives that voter: the witness leads, then the other one, seed %i',
  (seed) => {
    const cluster = new Cluster({ seed, size: 3, mode: 'voters', witness: true, maxDelayMs: 3 });
    for (const node of cluster.nodes) cluster.start(node);
    const leader = () => cluster.leaders[0] as SimNode;
    expect(cluster.runUntil(() => cluster.leaders.length === 1, 6000)).toBe(true);
    cluster.runFor(1000);
    const first = leader();
    const [other] = cluster.nodes.filter((node) => node !== first && !cluster.isWitness(node)) as [SimNode];
    cluster.crash(other, true);
    cluster.propose(first, ['kept']);
    cluster.runFor(500);
    expect(cluster.acked).toBe(1);
    cluster.crash(first, true);
    cluster.start(other);
    const led: SimNode[] = [];
    expect(
      cluster.runUntil(() => {
        const now = cluster.leaders[0];
        if (now && led.at(-1) !== now) led.push(now);
        return now === other && other.commands === 1;
      }, 20_000),
      cluster.describe(),
    ).toBe(true);
    expect(led.map((node) => cluster.isWitness(node))).toEqual([true, false]);
  },
);
