import { MAX_RAFT_RUNS, SnapshotEnvelope } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { parseEnvelope } from '../../src/core/envelope.ts';
import { RaftLog } from '../../src/core/log.ts';
import { restoreLog } from '../../src/core/restore-log.ts';
import { command, epochOf, id, incarnationOf, member, opening } from './harness.ts';

const NONE = new Uint8Array();

/** Opening of three, a, b | forced opening of two, c | view of three, d, e */
function history(): RaftLog {
  const log = new RaftLog();
  log.append(epochOf(1, 0), [opening(3), command('a'), command('b')]);
  log.append(epochOf(2, 1), [opening(2, true), command('c')]);
  log.append(epochOf(3, 0), [
    { type: 'View', members: [member(0), { peer: id(1), incarnation: 7n }], learners: [] },
    command('d'),
    command('e'),
  ]);
  return log;
}

describe('a log that was compacted (Raft §7)', () => {
  test.each([1, 3, 4, 5, 6, 8])('to %i still knows runs, set, former members, sides and commands', (base) => {
    const whole = history();
    const log = history();
    log.compactTo(base);
    expect([log.base, log.last, log.lastEpoch]).toEqual([base, 8, whole.lastEpoch]);
    expect(log.entryAt(base)).toBeUndefined();
    for (let i = base + 1; i <= 8; i += 1) expect(log.entryAt(i)).toEqual(whole.entryAt(i));
    for (let i = 0; i <= 9; i += 1) expect(log.epochAt(i)).toEqual(whole.epochAt(i));
    expect(log.runsUpTo(8)).toEqual(whole.runsUpTo(8));
    expect([log.members, log.membersIndex, log.side]).toEqual([
      whole.members,
      whole.membersIndex,
      whole.side,
    ]);
    expect(log.sides()).toEqual(whole.sides());
    expect(log.formerMembers(64)).toEqual(whole.formerMembers(64));
    expect(log.lastCommand).toBe(whole.lastCommand);
    expect(log.envelopeAt(8, NONE)).toEqual(whole.envelopeAt(8, NONE));
    expect(base < 8 ? log.range(base + 1, 8) : []).toEqual(base < 8 ? whole.range(base + 1, 8) : []);
    expect(log.commonWith(whole.runsUpTo(8), 8)).toEqual({ index: 8, exact: true });
    expect(log.commonWith([{ epoch: epochOf(9, 2), first: 1 }], 5)).toEqual({ index: 0, exact: true });
  });

  test.each([2, 4, 6, 8])('begins from its envelope at %i as it was', (index) => {
    const whole = history();
    whole.truncateTo(Math.max(index, 6));
    const log = new RaftLog();
    log.install(parseEnvelope(SnapshotEnvelope.encode(whole.envelopeAt(index, NONE))));
    for (const run of index < whole.last ? whole.range(index + 1, whole.last) : [])
      log.append(run.epoch, run.entries);
    expect([log.base, log.last, log.lastEpoch, log.side]).toEqual([
      index,
      whole.last,
      whole.lastEpoch,
      whole.side,
    ]);
    expect([log.members, log.membersIndex, log.lastCommand]).toEqual([
      whole.members,
      whole.membersIndex,
      whole.lastCommand,
    ]);
    expect(log.formerMembers(64)).toEqual(whole.formerMembers(64));
    expect(log.sides()).toEqual(whole.sides());
    expect(log.runsUpTo(log.last)).toEqual(whole.runsUpTo(log.last));
  });

  test('restarts from snapshot and tail', () => {
    const whole = history();
    const envelope = SnapshotEnvelope.encode(whole.envelopeAt(5, NONE));
    const snapshot = { index: 5, epoch: epochOf(2, 1), envelope, chunks: [] };
    const log = new RaftLog();
    restoreLog(log, { hardState: { incarnation: 1n, term: 3 }, snapshot, base: 2, runs: whole.range(3, 8) });
    expect([log.base, log.last]).toEqual([2, 8]);
    expect(log.range(3, 8)).toEqual(whole.range(3, 8));
    expect(log.envelopeAt(8, NONE)).toEqual(whole.envelopeAt(8, NONE));
    expect(() =>
      restoreLog(new RaftLog(), { hardState: { incarnation: 1n, term: 3 }, snapshot, base: 2, runs: [] }),
    ).toThrow(/end at 2, its snapshot is of 5/);
  });

  test('forgets the oldest runs when there are more than a message lists, and is not misled then', () => {
    const log = new RaftLog();
    for (let term = 1; term <= 300; term += 1) log.append(epochOf(term, 0), [opening(1)]);
    const whole = log.runsUpTo(300);
    expect(whole).toHaveLength(128);
    log.compactTo(250);
    expect(log.epochAt(122)).toBeUndefined();
    expect(log.epochAt(123)).toEqual(epochOf(123, 0));
    // Another log of which nothing is known here.
    expect(log.commonWith([{ epoch: epochOf(100, 0), first: 100 }], 100)).toEqual({
      index: 100,
      exact: false,
    });
    expect(log.commonWith([{ epoch: epochOf(999, 1), first: 200 }], 300)).toEqual({
      index: 199,
      exact: false,
    });
    expect(log.commonWith([{ epoch: epochOf(999, 1), first: 1 }], 300)).toEqual({ index: 122, exact: false });
  });

  test('knows who was in a set with its last incarnation (consensus D6)', () => {
    const log = history();
    log.append(epochOf(4, 0), [{ type: 'View', members: [member(0)], learners: [] }]);
    log.compactTo(9);
    expect(log.formerMembers(64)).toEqual([
      { peer: id(1), incarnation: 7n },
      { peer: id(2), incarnation: incarnationOf(2) },
    ]);
  });

  test('an envelope that contradicts itself is refused', () => {
    const envelope = history().envelopeAt(5, NONE);
    for (const change of [
      { index: 0 },
      { epoch: epochOf(9, 9) },
      { membersIndex: 6 },
      { lastCommand: 6 },
      { runs: [] },
      { runs: [...envelope.runs].reverse() },
    ])
      expect(() => parseEnvelope(SnapshotEnvelope.encode({ ...envelope, ...change }))).toThrow(/not valid/);
  });
});

describe('a slice of the log', () => {
  const changing = (epochs: number) => {
    const log = new RaftLog();
    for (let term = 1; term <= epochs; term += 1) log.append(epochOf(term, 0), [opening(3)]);
    return log;
  };

  test('has at most as many epochs as a message may name, and the next one goes on there', () => {
    const log = changing(MAX_RAFT_RUNS + 60);
    log.compactTo(2);
    const first = log.slice(3, 1 << 20, 1000);
    expect([first.runs.length, first.to]).toEqual([MAX_RAFT_RUNS, MAX_RAFT_RUNS + 2]);
    expect(log.slice(first.to + 1, 1 << 20, 1000)).toMatchObject({ to: log.last });
    expect(first.bytes).toBe(log.slice(3, 1 << 20, MAX_RAFT_RUNS).bytes);
  });
});
