import type { KeyValueOutput } from '@mosaik/groups';
import type { AgreedEntry, AgreedLog } from './agreed-log.ts';
import { SimCommand } from './machine.ts';

export type OperationKind = 'execute' | 'executeMany' | 'feed' | 'feedMany' | 'weak' | 'strong';

/** One call of a client. */
export interface Operation {
  readonly kind: OperationKind;
  readonly member: string;
  /** What it writes; empty for reads. */
  readonly commands: readonly SimCommand[];
  /** What it reads. */
  readonly key: string;
  /** By when it must have settled. */
  readonly deadlineMs: number;
  /** Everything up to this index was seen to have happened before the call. */
  floor: number;
  state: 'pending' | 'done' | 'failed' | 'unknown' | 'lost';
  /** Index of the first command, once known. */
  from: number | undefined;
}

/** How a read was answered: as of which index, and which operation wrote the value. */
export interface ReadAnswer {
  readonly index: number;
  readonly writer: number | undefined;
  /** What the read asked to be applied before. */
  readonly minIndex: number | undefined;
}

/**
 * What clients saw, held against the committed log.
 *
 * Linearizability (Herlihy, Wing 1990) with the log as the order of the writes, which leaves nothing to search: a call
 * that began after another had ended must not come before it. `floor` carries that order: the highest index whose
 * effect some ended call has shown. A write must land above the floor of its call. A strong read must show each
 * change of its key up to its floor. What ended as `unknown-outcome` may have happened or not; what failed in any
 * other way must never be in the log.
 */
export class History {
  readonly #agreed: AgreedLog;
  readonly #report: (invariant: string, state: string) => void;
  readonly #byCommand = new Map<number, Operation>();
  readonly #pending = new Set<Operation>();
  #floor = 0;
  #nextOp = 1;
  /** How many calls ended how. */
  readonly counts: Record<string, number> = {};

  constructor(agreed: AgreedLog, report: (invariant: string, state: string) => void) {
    this.#agreed = agreed;
    this.#report = report;
  }

  /** A number that no operation had before. */
  nextOp(): number {
    this.#nextOp += 1;
    return this.#nextOp - 1;
  }

  get pending(): ReadonlySet<Operation> {
    return this.#pending;
  }

  begin(init: Pick<Operation, 'kind' | 'member' | 'commands' | 'key' | 'deadlineMs'>): Operation {
    const operation: Operation = { ...init, floor: this.#floor, state: 'pending', from: undefined };
    for (const { op } of init.commands) this.#byCommand.set(op, operation);
    this.#pending.add(operation);
    return operation;
  }

  /** An `execute` or `executeMany` succeeded. */
  completeWrite(operation: Operation, from: number, outputs: readonly KeyValueOutput[]): void {
    if (!this.#end(operation, 'done')) return;
    operation.from = from;
    const { commands } = operation;
    if (outputs.length !== commands.length)
      this.#report(
        'an execute answers every command',
        `${outputs.length} outputs for ${commands.length} commands`,
      );
    for (const [offset, { op }] of commands.entries()) {
      const entry = this.#agreed.at(from + offset);
      if (entry?.command?.op !== op) {
        this.#report(
          'what execute acknowledged is committed at that very index',
          `op ${op} was acknowledged at ${from + offset} by ${operation.member}; there is ${entry?.command ? `op ${entry.command.op}` : 'none'}`,
        );
        return;
      }
      if (JSON.stringify(entry.output) !== JSON.stringify(outputs[offset])) {
        this.#report(
          'an acknowledged output is what the command gives in log order',
          `op ${op} at ${from + offset} gave ${JSON.stringify(entry.output)}, ${operation.member} answered ${JSON.stringify(outputs[offset])}`,
        );
      }
    }
    this.#floor = Math.max(this.#floor, from + commands.length - 1);
  }

  /** A `feed` or `feedMany` was given its place: it may still not commit. */
  completeFeed(operation: Operation, from: number): void {
    if (!this.#end(operation, 'unknown')) return;
    if (operation.from !== undefined && operation.from !== from) {
      this.#report(
        'what was fed is committed at its index or not at all',
        `ops ${numbers(operation)} were given ${from} and committed at ${operation.from}`,
      );
    }
    operation.from = from;
  }

  completeRead(operation: Operation, { index, writer, minIndex = 0 }: ReadAnswer): void {
    if (!this.#end(operation, 'done')) return;
    const { key, kind, floor, member } = operation;
    if (index > this.#agreed.length) {
      this.#report(
        'a read shows committed state only',
        `${member} answered as of ${index}, ${this.#agreed.length} is committed`,
      );
      return;
    }
    if (index < minIndex)
      this.#report(
        'a read waits for its minIndex',
        `${member} answered as of ${index}, asked for ${minIndex}`,
      );
    const expected = this.#agreed.writerOf(key, index);
    if (writer !== expected) {
      this.#report(
        'a read shows the state after its index',
        `${kind} read of ${key} by ${member} as of ${index} gave the value of op ${writer}, the log gives op ${expected}`,
      );
    }
    if (kind !== 'strong') return;
    const shown = this.#agreed.lastChange(key, index);
    const due = this.#agreed.lastChange(key, Math.max(index, floor));
    if (shown !== due) {
      this.#report(
        'a strong read is never stale',
        `${member} answered ${key} as of ${index}, which misses the change at ${due}; everything up to ${floor} had been seen before the read began`,
      );
    }
    this.#floor = Math.max(this.#floor, shown);
  }

  /** `code`: of the GroupError. */
  fail(operation: Operation, code: string): void {
    this.counts[code] = (this.counts[code] ?? 0) + 1;
    if (!this.#end(operation, code === 'unknown-outcome' ? 'unknown' : 'failed')) return;
    if (operation.state !== 'failed') return;
    for (const { op } of operation.commands) {
      const index = this.#agreed.indexOf(op);
      if (index !== undefined) this.#reportFailedButCommitted(operation, op, index);
    }
  }

  /** The member that it was asked of is gone: nobody will ever know. */
  abandon(operation: Operation): void {
    this.#end(operation, 'unknown');
  }

  /** The log grew by an entry. */
  handleCommitted({ command, index }: AgreedEntry): void {
    if (!command) return;
    const operation = this.#byCommand.get(command.op);
    if (!operation) {
      this.#report('the log holds only what clients sent', `op ${command.op} at ${index} was never sent`);
      return;
    }
    const position = operation.commands.findIndex(({ op }) => op === command.op);
    const sent = operation.commands[position];
    if (!sent || Buffer.compare(SimCommand.encode(sent), SimCommand.encode(command)) !== 0)
      this.#report('the log holds only what clients sent', `op ${command.op} at ${index} was changed`);
    const first = this.#agreed.indexOf(command.op);
    if (first !== undefined && first !== index)
      this.#report(
        'each command is applied at most once',
        `op ${command.op} is at ${first} and at ${index}; it ${operation.state}`,
      );
    if (operation.state === 'failed') this.#reportFailedButCommitted(operation, command.op, index);
    if (index <= operation.floor)
      this.#report(
        'the log respects real time',
        `op ${command.op} is at ${index}, but everything up to ${operation.floor} had been seen before it was sent`,
      );
    operation.from ??= index - position;
    if (operation.from !== index - position)
      this.#report(
        'commands sent together are one contiguous run',
        `op ${command.op}, number ${position} of its run, is at ${index}; the run began at ${operation.from}`,
      );
  }

  /** A forced epoch was allowed to begin without what follows `length`. */
  handleTruncated(length: number): void {
    this.#floor = Math.min(this.#floor, length);
    for (const operation of this.#pending) operation.floor = Math.min(operation.floor, length);
    for (const operation of new Set(this.#byCommand.values())) {
      if (operation.from === undefined || operation.from + operation.commands.length - 1 <= length) continue;
      if (operation.state === 'done') operation.state = 'lost';
      if (operation.state !== 'pending') continue;
      operation.from = undefined;
    }
  }

  /** Calls that should have settled by now. */
  assertSettled(nowMs: number): void {
    for (const operation of this.#pending) {
      if (nowMs <= operation.deadlineMs) continue;
      this.#report(
        'every call settles by its timeout',
        `${operation.kind} of ${numbers(operation) || operation.key} at ${operation.member} should have settled at ${operation.deadlineMs} ms`,
      );
    }
  }

  /** What must hold once nothing moves any more. */
  assertFinal(): void {
    for (const operation of new Set(this.#byCommand.values())) {
      const present = operation.commands.filter(({ op }) => this.#agreed.indexOf(op) !== undefined).length;
      if (operation.state === 'done' && present < operation.commands.length)
        this.#report('every acknowledged write is kept', `ops ${numbers(operation)} are not in the log`);
      if (present > 0 && present < operation.commands.length)
        this.#report(
          'commands sent together commit all or none',
          `${present} of ops ${numbers(operation)} are in the log; the call ${operation.state}`,
        );
    }
  }

  #end(operation: Operation, state: 'done' | 'failed' | 'unknown'): boolean {
    if (!this.#pending.delete(operation)) return false;
    operation.state = state;
    const outcome = `${operation.kind}:${state}`;
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1;
    return true;
  }

  #reportFailedButCommitted(operation: Operation, op: number, index: number): void {
    this.#report(
      'what failed with anything but unknown-outcome is never committed',
      `op ${op} of a ${operation.kind} at ${operation.member} failed and is at ${index}`,
    );
  }
}

function numbers({ commands }: Operation): string {
  return commands.map(({ op }) => op).join(',');
}
