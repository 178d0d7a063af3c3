import { describe, expect, test } from 'vitest';
import type { DEFAULT_LIMITS } from '../../src/core/config.ts';
import { parseEnvelope } from '../../src/core/envelope.ts';
import { RaftCore } from '../../src/core/raft-core.ts';
import { describeState } from '../../src/status.ts';
import { Cluster, type SimNode } from '../simulation/cluster.ts';
import { command, epochOf, Harness, HEARTBEAT_MS, id, member, opening } from './harness.ts';

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
    expect(Harness.sent(h.ack(1, 4))).toContainEqual([1, expect.objectContaining({ type: 'TimeoutNow' })]);
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

describe('what a witness keeps', () => {
  const epoch = epochOf(1, 1);
  /** Entries are 16 bytes and their text. */
  const text = 'x'.repeat(84);
  const problemOf = (h: Harness) => describeState(h.state, 0, h.nowMs).problem;
  /** Follows 1, has `count` commands after the opening, all committed and durable. */
  const follower = (count: number, limits: Partial<typeof DEFAULT_LIMITS>) => {
    const h = new Harness({ witness: 0, limits });
    append(h, 0, [opening(3), ...Array.from({ length: count }, () => command(text))]);
    return h;
  };
  const append = (h: Harness, prev: number, entries: ReturnType<typeof opening>[]) => {
    for (const commit of [0, prev + entries.length]) {
      h.receive(1, {
        type: 'Append',
        epoch,
        side: undefined,
        prev: prev === 0 ? undefined : { epoch, index: prev },
        entries: [{ epoch, entries }],
        commit,
        round: 0,
        durable: 0,
      });
      h.run();
    }
    return h.run();
  };
  const retained = (h: Harness) =>
    Harness.sent(h.run()).flatMap(([to, body]) => (body.type === 'Retain' ? [[to, body.index]] : []));

  test('its leader tells it how far every data voter holds the log, once it knows that of each', () => {
    const h = new Harness({ size: 4, term: 1, log, witness: 3 });
    h.lead();
    h.ack(3, 4);
    h.ack(2, 4);
    h.advance(HEARTBEAT_MS);
    expect(retained(h)).toEqual([]);
    h.ack(1, 2);
    h.nowMs += HEARTBEAT_MS;
    h.input({ type: 'tick' });
    expect(retained(h)).toEqual([[3, 2]]);
    h.ack(1, 4);
    h.nowMs += HEARTBEAT_MS;
    h.input({ type: 'tick' });
    expect(retained(h)).toEqual([[3, 4]]);
    h.nowMs += HEARTBEAT_MS;
    h.input({ type: 'tick' });
    expect(retained(h)).toEqual([]);
  });

  test('is told nothing while a change of the set may be taken back', () => {
    const four = [{ epoch, entries: [opening(4), command('a'), command('b')] }];
    const h = new Harness({ size: 4, term: 1, log: four, witness: 3 });
    h.lead();
    for (const from of [1, 2, 3]) h.ack(from, 4);
    h.input({ type: 'request', request: 1, what: { type: 'RemoveVoter', peer: id(1) } });
    h.run();
    for (const from of [2, 3]) h.ack(from, 4, h.state.leadership?.round);
    expect(h.core.log.members).toHaveLength(3);
    h.nowMs += HEARTBEAT_MS;
    h.input({ type: 'tick' });
    expect(retained(h)).toEqual([]);
  });

  test('gives up what all hold, in the store too, and keeps the run table and the set', () => {
    const h = follower(20, { witnessPruneBytes: 2000 });
    h.receive(1, { type: 'Retain', epoch, index: 3 });
    h.run();
    expect(h.core.log.base).toBe(0);
    h.receive(1, { type: 'Retain', epoch, index: 11 });
    const writes = h.run().flatMap((effect) => (effect.type === 'persist' ? [effect.write] : []));
    expect(writes).toMatchObject([{ compactTo: 11, snapshot: { index: 11, epoch, chunks: [] } }]);
    expect([h.core.log.base, h.core.log.last, h.core.log.epochAt(2)]).toEqual([11, 21, epoch]);
    expect(h.core.log.members).toEqual([0, 1, 2].map(member));
    expect(problemOf(h)).toBeUndefined();
  });

  test('is believed only of the leader that is followed, and only up to what is committed and durable here', () => {
    const h = follower(20, { witnessPruneBytes: 1 });
    h.receive(2, { type: 'Retain', epoch, index: 11 });
    h.receive(1, { type: 'Retain', epoch: epochOf(2, 1), index: 11 });
    h.run();
    expect(h.core.log.base).toBe(0);
    h.receive(1, { type: 'Retain', epoch, index: 10_000 });
    h.run();
    expect(h.core.log.base).toBe(21);
    h.receive(1, {
      type: 'Append',
      epoch,
      side: undefined,
      prev: { epoch, index: 21 },
      entries: [{ epoch, entries: [command(text)] }],
      commit: 22,
      round: 0,
      durable: 22,
    });
    h.drain();
    h.drain();
    expect([h.state.commit, h.core.log.base]).toEqual([22, 21]);
    h.persist();
    h.run();
    expect(h.core.log.base).toBe(22);
  });

  test('is bounded: beyond it the oldest goes, which is said until every data voter has it', () => {
    const h = follower(20, { witnessRetentionBytes: 3500, witnessPruneBytes: 2000 });
    const { base } = h.core.log;
    expect(base).toBeGreaterThanOrEqual(11);
    expect(problemOf(h)).toMatch(`degraded: this witness keeps witnessRetentionBytes, and gave up`);
    h.receive(1, { type: 'Retain', epoch, index: base - 1 });
    h.run();
    expect(problemOf(h)).toMatch(`has none after ${base - 1}`);
    h.receive(1, { type: 'Retain', epoch, index: base });
    h.run();
    expect(problemOf(h)).toBeUndefined();
    append(
      h,
      21,
      Array.from({ length: 30 }, () => command(text)),
    );
    expect(h.core.log.last - h.core.log.base).toBeLessThanOrEqual(10);
  });

  test('is not offered to others as a snapshot', () => {
    const h = follower(20, { witnessPruneBytes: 2000 });
    h.receive(1, { type: 'Retain', epoch, index: 21 });
    h.run();
    h.receive(2, { type: 'SyncQuery' });
    expect(Harness.sent(h.run())).toEqual([
      [2, { type: 'SyncOffer', base: 21, commit: 21, snapshot: undefined }],
    ]);
  });

  test('is the same after a restart; what was committed stays so', () => {
    const h = follower(20, { witnessPruneBytes: 2000 });
    h.receive(1, { type: 'Retain', epoch, index: 15 });
    h.run();
    const { log: before, state } = h.core;
    const { snapshot } = state;
    if (!snapshot) throw new Error('gave up nothing');
    expect(parseEnvelope(snapshot.envelope)).toMatchObject({ index: 15, membersIndex: 1, lastCommand: 15 });
    const again = new RaftCore({
      config: state.config,
      rng: state.rng,
      stored: { hardState: state.hardState, snapshot, base: before.base, runs: before.range(16, 21) },
      nowMs: 0,
    });
    expect([again.log.base, again.log.last, again.state.commit]).toEqual([15, 21, 15]);
    expect(again.log.members).toEqual(before.members);
    expect(again.log.runsUpTo(21)).toEqual(before.runsUpTo(21));
  });

  test('a witness that leads says whom it cannot bring level, and is no majority with it', () => {
    const h = follower(20, { witnessRetentionBytes: 3500, witnessPruneBytes: 2000 });
    const { base } = h.core.log;
    h.input({ type: 'bond-down', peer: id(1), departed: false });
    h.lead();
    const reject = { prev: 21, last: 5, runs: [{ epoch, first: 1 }] };
    h.receive(2, { type: 'Appended', epoch: h.state.epoch as never, term: 2, match: 0, round: 0, reject });
    expect(Harness.sent(h.run())).toContainEqual([2, expect.objectContaining({ type: 'SyncPlan', base })]);
    h.ack(2, 0);
    expect(problemOf(h)).toMatch(
      `degraded: this witness leads and gave up the entries up to ${base} that ${id(2)}`,
    );
    h.advance(HEARTBEAT_MS);
    expect([h.state.role, h.state.commit]).toEqual(['leader', 21]);
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
