import { type KeyValueOutput, keyValue } from '@mosaik/groups';
import type { CommandEntry, LogEntry } from '@mosaik/wire';
import type { Disk, DiskEntry } from './disk.ts';
import { SimCommand } from './machine.ts';
import { OnceOnly } from './once-only.ts';

export interface AgreedEntry extends DiskEntry {
  readonly index: number;
  readonly command: SimCommand | undefined;
  readonly output: KeyValueOutput | undefined;
}

interface Version {
  readonly index: number;
  /** The operation that wrote the value; undefined when the key was deleted. */
  readonly op: number | undefined;
}

/**
 * The committed log as the first member that knew of each entry saw it, and the state that it leads to.
 *
 * Every other member is held against it.
 */
export class AgreedLog {
  readonly #entries: AgreedEntry[] = [];
  readonly #indexOfOp = new Map<number, number>();
  readonly #versions = new Map<string, Version[]>();
  #model = keyValue();
  #once = new OnceOnly();
  readonly #onGrow: (entry: AgreedEntry) => void;

  constructor(onGrow: (entry: AgreedEntry) => void) {
    this.#onGrow = onGrow;
  }

  get length(): number {
    return this.#entries.length;
  }

  at(index: number): AgreedEntry | undefined {
    return this.#entries[index - 1];
  }

  /** The first `count` entries. */
  upTo(count: number): readonly AgreedEntry[] {
    return this.#entries.slice(0, count);
  }

  /** Where the operation is in the log, if it is. */
  indexOf(op: number): number | undefined {
    return this.#indexOfOp.get(op);
  }

  /**
   * Takes in what a member holds to be committed. Describes the first entry that contradicts what others hold.
   *
   * `sides`: founders that did not know of each other may both begin a log (D5); as long as one of the two holds no
   * command it yields, and nothing is lost.
   */
  extend(disk: Disk, from: number, to: number, sides: boolean): string | undefined {
    for (let index = from; index <= to; index += 1) {
      const held = disk.at(index);
      if (!held) return `it has no entry ${index}, its log ends at ${disk.lastIndex}`;
      const agreed = this.at(index);
      if (!agreed) this.#append(held, index);
      else if (agreed.key !== held.key) {
        if (sides && !hasCommand(this.#entries, index)) {
          this.truncate(index - 1);
          this.#append(held, index);
          continue;
        }
        if (sides && !hasCommand(disk.entries.slice(0, to), index)) return undefined;
        return `it holds ${describeEntry(held.entry)} of epoch ${held.key} at ${index}; agreed there is ${describeEntry(agreed.entry)} of epoch ${agreed.key}`;
      }
    }
    return undefined;
  }

  /** The index, at most `through`, of the command that last changed the key; 0 when none did. */
  lastChange(key: string, through: number): number {
    return this.#version(key, through)?.index ?? 0;
  }

  /** The operation whose value the key had after `through`. */
  writerOf(key: string, through: number): number | undefined {
    return this.#version(key, through)?.op;
  }

  /** Of the state after the last entry, as the machine's own `Digest` query gives it. */
  digest(): string {
    const answer = this.#model.query({ type: 'Digest' });
    return answer.type === 'Digest' ? answer.digest : '';
  }

  /** Forgets what follows `length`: a forced epoch that did not have it was allowed to. */
  truncate(length: number): void {
    const kept = this.#entries.slice(0, length);
    this.#entries.length = 0;
    this.#indexOfOp.clear();
    this.#versions.clear();
    this.#model = keyValue();
    this.#once = new OnceOnly();
    for (const { index, output: _, command: __, ...held } of kept) this.#append(held, index, true);
  }

  #append({ epoch, key, entry }: DiskEntry, index: number, again = false): void {
    const command = this.#once.admits(entry, index) ? commandOf(entry) : undefined;
    let output: KeyValueOutput | undefined;
    if (command) {
      output = this.#model.apply(command.command, {
        index,
        term: epoch.term,
        groupId: '' as never,
        networkId: '' as never,
      });
      if (!this.#indexOfOp.has(command.op)) this.#indexOfOp.set(command.op, index);
      this.#remember(command, output, index);
    }
    const agreed = { epoch, key, entry, index, command, output };
    this.#entries.push(agreed);
    if (!again) this.#onGrow(agreed);
  }

  #remember({ op, command }: SimCommand, output: KeyValueOutput, index: number): void {
    if (output.type !== 'Done' || (command.type === 'Delete' && output.index === 0)) return;
    const versions = this.#versions.get(command.key) ?? [];
    versions.push({ index, op: command.type === 'Put' ? op : undefined });
    this.#versions.set(command.key, versions);
  }

  #version(key: string, through: number): Version | undefined {
    return this.#versions.get(key)?.findLast((version) => version.index <= through);
  }
}

/** Whether there is a command at `from` or after it. */
export function hasCommand(entries: readonly DiskEntry[], from: number): boolean {
  return entries.some(({ entry }, i) => i >= from - 1 && isCommand(entry));
}

export function isCommand(entry: LogEntry): entry is CommandEntry {
  return entry.type === 'Command' || entry.type === 'CommandMore' || entry.type === 'Keyed';
}

/** The operation in an entry; undefined for the entries that state machines never see. */
export function commandOf(entry: LogEntry): SimCommand | undefined {
  return isCommand(entry) ? SimCommand.decode(entry.value) : undefined;
}

export function describeEntry(entry: LogEntry): string {
  const command = commandOf(entry);
  if (command) return `${command.command.type} op ${command.op}`;
  if (entry.type === 'Opening') return entry.forced ? 'a forced opening' : 'an opening';
  return entry.type === 'Session' ? 'a session' : 'a change of the set';
}
