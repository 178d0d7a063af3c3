import type { Reverted } from '@mosaik/raft';
import { type CommandEntry, type LogEntry, str, UniqueId } from '@mosaik/wire';
import { VirtualClock } from '@mosaik/wire/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Revert, RevertReports } from '../src/revert-reports.ts';
import { describeLost, type GivenUp } from '../src/reverted.ts';
import { SessionTable } from '../src/sessions/session-table.ts';
import { meshId } from './support/mesh.ts';

const epoch = { term: 4, leader: meshId(0), nonce: 7n };
const owner = { origin: meshId(1), incarnation: 1n };
const other = { origin: meshId(2), incarnation: 1n };

const command = (
  session: number,
  sequence: number,
  text: string,
  rest: Partial<CommandEntry> = {},
): LogEntry => ({
  type: 'Command',
  session,
  sequence,
  unacked: 0,
  key: undefined,
  value: str().encode(text),
  ...rest,
});
const lostOf = (from: number, entries: LogEntry[]) =>
  describeLost(
    from,
    [{ epoch, entries }],
    (session) => (session === 2 ? owner : undefined),
    (bytes) => str().decode(bytes),
  );
const textsOf = (given: readonly GivenUp<string>[]) =>
  given.map(({ commands }) => commands.map((one) => `${one.index} ${one.command}`).join(', '));

describe('what a log gave up, by name', () => {
  test('names the life of the member that sent it, also where its session was opened among it', () => {
    const given = lostOf(10, [
      command(2, 5, 'a'),
      { type: 'Session', ...other },
      command(11, 1, 'b'),
      command(3, 1, 'c'),
    ]);
    expect(given.map(({ name }) => name)).toEqual([
      { owner, sequence: 5 },
      { owner: expect.objectContaining(other), sequence: 1 },
      undefined,
    ]);
    expect(textsOf(given)).toEqual(['10 a', '12 b', '13 c']);
  });

  test('has a run as one, and what was sent again once', () => {
    const run = [command(2, 5, 'a', { type: 'CommandMore' }), command(0, 0, 'b')];
    expect(textsOf(lostOf(10, [...run, command(2, 6, 'c'), ...run]))).toEqual(['10 a, 11 b', '12 c']);
  });

  test('has what came with one key once, whoever sent it', () => {
    const key = UniqueId.from<UniqueId>('k');
    const entries = [5, 6].map((sequence) => command(2, sequence, 'a', { type: 'Keyed', key }));
    expect(
      lostOf(10, [...entries, command(2, 7, 'b', { type: 'Keyed', key })]).map(({ name }) => name),
    ).toEqual([
      { key, digest: UniqueId.from(str().encode('a')) },
      { key, digest: UniqueId.from(str().encode('b')) },
    ]);
  });
});

describe('reverts that nobody was told of yet', () => {
  let clock: VirtualClock;
  let reports: RevertReports<string>;
  let told: Reverted<string>[];
  let late: number;
  beforeEach(() => {
    clock = new VirtualClock();
    told = [];
    late = 0;
    reports = new RevertReports({
      clock,
      tell: (event) => told.push(event),
      handleLate: () => {
        late += 1;
      },
    });
  });

  const tableOf = (sequences: readonly number[], session = { ...owner }) => {
    const table = new SessionTable(4);
    table.open(2, session.origin, session.incarnation);
    for (const sequence of sequences) table.admit(2, sequence, 0);
    return table;
  };
  const revert = (from: number, entries: LogEntry[], complete = true): Revert<string> => ({
    common: from - 1,
    from,
    to: from + entries.length - 1,
    applied: from,
    complete,
    given: lostOf(from, entries),
  });
  const texts = () => told.map(({ commands }) => commands.map((one) => one.command));

  test('are told once, without what was applied since', () => {
    reports.add(revert(10, [command(2, 5, 'a'), command(2, 6, 'b'), command(2, 7, 'c')]));
    reports.handleApplied({ owner, sequence: 6 });
    reports.handleApplied({ owner: { ...owner, incarnation: 2n }, sequence: 5 });
    reports.handleApplied({ owner: other, sequence: 5 });
    expect([told, reports.pending]).toEqual([[], true]);
    reports.tell(tableOf([6]));
    reports.tell(tableOf([6]));
    expect(told).toEqual([
      {
        from: 10,
        to: 12,
        applied: 10,
        complete: true,
        compared: true,
        commands: [
          { index: 10, term: 4, command: 'a' },
          { index: 12, term: 4, command: 'c' },
        ],
      },
    ]);
    expect(reports.pending).toBe(false);
    // Nothing waits any more, so nothing is late.
    expect(clock.nextDueMs()).toBeUndefined();
  });

  test('are not told when nothing is lost, unless more may be than is known', () => {
    for (const complete of [true, false]) reports.add(revert(10, [command(2, 5, 'a')], complete));
    reports.handleApplied({ owner, sequence: 5 });
    reports.tell(tableOf([5]));
    expect(told).toMatchObject([{ complete: false, commands: [] }]);
  });

  test('leave out what was applied before the sides parted, and what a snapshot has', () => {
    reports.add(revert(10, [command(2, 5, 'a'), command(2, 6, 'b'), command(2, 7, 'c')]));
    reports.handleRestored(tableOf([6]), 20);
    reports.tell(tableOf([5, 6]));
    expect(texts()).toEqual([['c']]);
    expect(told[0]?.compared).toBe(true);
  });

  test('say that a snapshot may have what it no longer tells of', () => {
    reports.add(revert(10, [command(2, 5, 'a')]));
    reports.handleRestored(tableOf([], other), 20);
    reports.tell(tableOf([], other));
    expect(told).toMatchObject([{ compared: false }]);
  });

  test('do not take the own snapshot for one of the other side', () => {
    reports.add(revert(10, [command(2, 5, 'a')]));
    reports.handleRestored(new SessionTable(4), 9);
    reports.tell(tableOf([]));
    expect(told).toMatchObject([{ compared: true }]);
  });

  test('of what was given up twice the later one tells', () => {
    reports.add(revert(10, [command(2, 5, 'a'), command(2, 6, 'b')]));
    reports.add(revert(12, [command(2, 6, 'b'), command(2, 7, 'c')]));
    reports.tell(tableOf([]));
    expect(texts()).toEqual([['a'], ['b', 'c']]);
  });

  test('wait no longer than a minute, and whoever stops tells what is known', async () => {
    reports.add(revert(10, [command(2, 5, 'a')]));
    await clock.advance(59_000);
    expect([late, reports.isLate]).toEqual([0, false]);
    await clock.advance(2000);
    expect([late, reports.isLate]).toEqual([1, true]);
    reports.tell(undefined);
    expect(told).toMatchObject([{ compared: false, commands: [{ command: 'a' }] }]);
    expect(reports.isLate).toBe(false);
  });

  test('what has no name is listed, and may be there', () => {
    reports.add(revert(10, [command(3, 5, 'a')]));
    reports.tell(tableOf([5]));
    expect(told).toMatchObject([{ compared: false, commands: [{ command: 'a' }] }]);
  });
});
