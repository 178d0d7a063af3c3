import type { LogEntry, PeerId } from '@mosaik/wire';
import { UniqueId } from '@mosaik/wire';
import { VirtualClock } from '@mosaik/wire/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { AgreedLog } from '../src/agreed-log.ts';
import { Disk } from '../src/disk.ts';
import { History, type Operation, type OperationKind } from '../src/history.ts';
import { SimCommand } from '../src/machine.ts';

const epoch = { term: 1, leader: UniqueId.from<PeerId>('leader'), nonce: 1n };

let violations: string[];
let agreed: AgreedLog;
let history: History;
let disk: Disk;

beforeEach(() => {
  violations = [];
  agreed = new AgreedLog((entry) => history.handleCommitted(entry));
  history = new History(agreed, (invariant) => violations.push(invariant));
  disk = new Disk({ handleWrite() {}, entriesUpTo: () => [] });
  void disk.mount(new VirtualClock(), () => 0).write({ append: [{ epoch, entries: [opened] }] });
  expect(agreed.extend(disk, 1, 1, false)).toBeUndefined();
});

const begin = (kind: OperationKind, count = 0): Operation =>
  history.begin({
    kind,
    member: 'm0',
    key: 'k',
    deadlineMs: 1000,
    commands: Array.from({ length: count }, () => ({
      op: history.nextOp(),
      command: { type: 'Put', key: 'k', value: new Uint8Array(), expected: undefined },
    })),
  });

let sequence = 0;
const entryOf = (command: SimCommand): LogEntry => ({
  type: 'Command',
  session: 1,
  sequence: ++sequence,
  unacked: 0,
  value: SimCommand.encode(command),
});
const opened: LogEntry = { type: 'Session', origin: epoch.leader, incarnation: 1n };

/** The commands of the operation follow what is committed. */
function commit({ commands }: Pick<Operation, 'commands'>): number {
  const from = disk.lastIndex + 1;
  const entries = commands.map((command) => entryOf(command));
  void disk.mount(new VirtualClock(), () => 0).write({ append: [{ epoch, entries }] });
  expect(agreed.extend(disk, from, disk.lastIndex, false)).toBeUndefined();
  return from;
}

const acknowledge = (operation: Operation, from: number) =>
  history.completeWrite(
    operation,
    from,
    operation.commands.map((_, i) => agreed.at(from + i)?.output ?? { type: 'Done', index: 0 }),
  );

const answer = (operation: Operation, index: number) =>
  history.completeRead(operation, { index, writer: agreed.writerOf('k', index), minIndex: undefined });

describe('the history of the clients', () => {
  it('is content with writes and reads in order', () => {
    const write = begin('execute', 1);
    acknowledge(write, commit(write));
    answer(begin('strong'), 2);
    const many = begin('executeMany', 3);
    acknowledge(many, commit(many));
    answer(begin('weak'), 2);
    history.assertFinal();
    expect(violations).toEqual([]);
  });

  it('lets a read that began before a write ended show either state', () => {
    const read = begin('strong');
    const write = begin('execute', 1);
    acknowledge(write, commit(write));
    answer(read, 1);
    expect(violations).toEqual([]);
  });

  it('notices a strong read that misses an acknowledged write', () => {
    const write = begin('execute', 1);
    acknowledge(write, commit(write));
    answer(begin('strong'), 1);
    expect(violations).toEqual(['a strong read is never stale']);
  });

  it('notices a strong read that misses what an earlier one showed of an unacknowledged write', () => {
    const write = begin('execute', 1);
    commit(write);
    answer(begin('strong'), 2);
    answer(begin('strong'), 1);
    expect(violations).toEqual(['a strong read is never stale']);
  });

  it('notices a read that shows another state than the log gives', () => {
    commit(begin('execute', 1));
    history.completeRead(begin('weak'), { index: 2, writer: undefined, minIndex: undefined });
    expect(violations).toEqual(['a read shows the state after its index']);
  });

  it('lets an unknown outcome be committed later, and nothing else that failed', () => {
    const [maybe, never] = [begin('execute', 1), begin('execute', 1)];
    history.fail(maybe, 'unknown-outcome');
    history.fail(never, 'offline');
    commit(maybe);
    expect(violations).toEqual([]);
    commit(never);
    expect(violations).toEqual(['what failed with anything but unknown-outcome is never committed']);
  });

  it('notices a command that is committed twice', () => {
    const write = begin('execute', 1);
    commit(write);
    commit(write);
    expect(violations).toContain('each command is applied at most once');
  });

  it('notices an acknowledgement of another index', () => {
    const write = begin('execute', 1);
    commit(write);
    history.completeWrite(write, 3, [{ type: 'Done', index: 0 }]);
    expect(violations).toEqual(['what execute acknowledged is committed at that very index']);
  });

  it('notices a run that is torn apart or incomplete', () => {
    const torn = begin('executeMany', 2);
    const [first, second] = torn.commands.map((command) => ({ commands: [command] }));
    if (!first || !second) throw new Error('two commands were asked for');
    commit(first);
    history.assertFinal();
    expect(violations).toEqual(['commands sent together commit all or none']);
    commit(begin('execute', 1));
    commit(second);
    expect(violations).toContain('commands sent together are one contiguous run');
  });

  it('notices a command that is committed before what had ended when it was sent', () => {
    const write = begin('execute', 1);
    acknowledge(write, commit(write));
    const late = begin('execute', 1);
    const empty = new AgreedLog((entry) => history.handleCommitted(entry));
    const other = new Disk({ handleWrite() {}, entriesUpTo: () => [] });
    const entries = [opened, ...late.commands.map((command) => entryOf(command))];
    void other.mount(new VirtualClock(), () => 0).write({ append: [{ epoch, entries }] });
    empty.extend(other, 1, 2, false);
    expect(violations).toContain('the log respects real time');
  });

  it('notices a call that does not settle', () => {
    begin('strong');
    history.assertSettled(1000);
    expect(violations).toEqual([]);
    history.assertSettled(1001);
    expect(violations).toEqual(['every call settles by its timeout']);
  });
});
