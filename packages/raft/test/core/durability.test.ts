import type { LogEntry } from '@mosaik/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Durability } from '../../src/core/durability.ts';
import { RaftLog } from '../../src/core/log.ts';
import { command, epochOf } from './harness.ts';

const EPOCH = epochOf(1, 0);
const hardState = { incarnation: 1n, term: 1 };

let log: RaftLog;
let durability: Durability;

beforeEach(() => {
  log = new RaftLog();
  durability = new Durability(0, false);
});

const take = () => durability.take({ log, snapshot: undefined, hardState });

function append(...texts: string[]): void {
  durability.handleAppended(log.last + 1);
  log.append(EPOCH, texts.map(command));
}

function truncateTo(index: number): void {
  log.truncateTo(index);
  durability.handleTruncated(index);
}

function written(): LogEntry[] {
  return (take()?.write.append ?? []).flatMap(({ entries }) => entries as LogEntry[]);
}

describe('the writes of a core (Raft §5, Figure 2)', () => {
  test('begin with the hard state where the store is new, and are none where nothing changed', () => {
    durability = new Durability(0, true);
    expect(take()).toEqual({ seq: 1, write: { hardState } });
    expect(take()).toBeUndefined();
  });

  test('carry what was appended since the last one, once', () => {
    append('a', 'b');
    expect(written()).toEqual([command('a'), command('b')]);
    append('c');
    expect(written()).toEqual([command('c')]);
    expect(take()).toBeUndefined();
  });

  test('leave out what was appended and removed before it was ever written', () => {
    append('a');
    take();
    append('b', 'c');
    truncateTo(1);
    expect(take()).toBeUndefined();
    append('b');
    truncateTo(0);
    append('d');
    expect(take()?.write).toMatchObject({ truncateTo: 0, append: [{ entries: [command('d')] }] });
  });

  test('that end after their entries were removed make nothing durable that is gone', () => {
    append('a', 'b', 'c');
    const write = take();
    truncateTo(1);
    append('x', 'y');
    durability.handlePersisted(write?.seq ?? 0);
    expect(durability.index).toBe(1);
  });

  test('keep of everything before a reset only the hard state', () => {
    durability.handleHardState();
    append('a');
    truncateTo(0);
    log.reset();
    durability.handleReset();
    expect(take()?.write).toEqual({ hardState, reset: true });
  });

  test('are owed to whoever waits, though nothing changed, and let it go on only at their end', () => {
    let went = false;
    durability.after(() => {
      went = true;
    });
    const write = take();
    expect([write?.write, went]).toEqual([{}, false]);
    durability.handlePersisted(write?.seq ?? 0);
    expect(went).toBe(true);
  });
});
