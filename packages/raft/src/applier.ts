import type { GroupId, NetworkId } from '@mosaik/wire';
import { isCommand, type RaftLog } from './core/log.ts';
import { concat } from './core/snapshot.ts';
import { RaftError } from './errors.ts';
import type { Snapshotter } from './snapshotter.ts';
import type { ApplyContext, StateMachine } from './state-machine.ts';
import type { StoredSnapshot } from './storage/log-storage.ts';

export interface ApplierInit<C, Q, R, O> {
  readonly machine: StateMachine<C, Q, R, O>;
  readonly log: RaftLog;
  readonly groupId: GroupId;
  readonly networkId: NetworkId;
  readonly handleApplied: (index: number, output: O) => void;
  /** Absent where the log is kept whole. */
  readonly snapshotter?: Snapshotter | undefined;
}

/** Feeds committed commands to the machine, in order, each once. */
export class Applier<C, Q, R, O> {
  readonly #init: ApplierInit<C, Q, R, O>;
  /** Everything up to here is in the machine. */
  applied = 0;

  /** What a machine without `reset` goes back to. */
  readonly #initial: Uint8Array | undefined;

  constructor(init: ApplierInit<C, Q, R, O>) {
    this.#init = init;
    const { machine } = init;
    if (!machine.reset && machine.restore && machine.snapshot) this.#initial = join(machine.snapshot());
  }

  /** @throws RaftError `apply-failed` when the machine, or its codec, throws. */
  applyTo(to: number): void {
    const { machine, snapshotter } = this.#init;
    while (this.applied < to) {
      const stop = snapshotter?.stopAt(this.applied, to) ?? to;
      if (machine.applyBatch) this.#applyBatch(stop);
      else this.#applyEach(stop);
      this.applied = stop;
      snapshotter?.handleApplied(stop, NO_SESSIONS);
    }
  }

  /** Becomes what a snapshot tells, or, without one, what was before the first command. @throws RaftError as `applyTo`. */
  restore(snapshot: StoredSnapshot | undefined): void {
    const { machine, snapshotter } = this.#init;
    const bytes = snapshot ? join(snapshot.chunks) : this.#initial;
    const index = snapshot?.index ?? 0;
    try {
      if (!snapshot && machine.reset) machine.reset();
      else if (machine.restore && bytes) machine.restore(bytes);
      else throw new Error(`the machine has no ${snapshot ? 'restore' : 'reset'}`);
    } catch (cause) {
      throw new RaftError(
        'apply-failed',
        `the state machine could not be restored to ${index}: ${String(cause)}`,
        {
          cause,
        },
      );
    }
    this.applied = index;
    snapshotter?.handleRestored(snapshot ? snapshot.envelope.length + (bytes?.length ?? 0) : 0);
  }

  #applyEach(to: number): void {
    const { machine, handleApplied } = this.#init;
    for (let index = this.applied + 1; index <= to; index += 1) {
      const command = this.#commandAt(index);
      if (!command) continue;
      let output: O;
      try {
        output = machine.apply(machine.command.decode(command), this.#context(index));
      } catch (cause) {
        throw failed(index, cause);
      }
      handleApplied(index, output);
    }
  }

  #applyBatch(to: number): void {
    const { machine, handleApplied } = this.#init;
    const commands: C[] = [];
    const contexts: ApplyContext[] = [];
    let outputs: O[];
    try {
      for (let index = this.applied + 1; index <= to; index += 1) {
        const command = this.#commandAt(index);
        if (!command) continue;
        commands.push(machine.command.decode(command));
        contexts.push(this.#context(index));
      }
      if (commands.length === 0) return;
      outputs = machine.applyBatch?.(commands, contexts) ?? [];
    } catch (cause) {
      throw failed(this.applied + 1, cause);
    }
    for (const [i, { index }] of contexts.entries()) handleApplied(index, outputs[i] as O);
  }

  #commandAt(index: number): Uint8Array | undefined {
    const entry = this.#init.log.entryAt(index);
    return entry && isCommand(entry) ? entry.value : undefined;
  }

  #context(index: number): ApplyContext {
    const { log, groupId, networkId } = this.#init;
    return { index, term: log.epochAt(index)?.term ?? 0, groupId, networkId };
  }
}

const NO_SESSIONS = () => new Uint8Array();

function join(parts: Uint8Array | Iterable<Uint8Array>): Uint8Array {
  if (parts instanceof Uint8Array) return parts;
  const all = [...parts];
  if (all.length === 1 && all[0]) return all[0];
  return concat(
    all,
    all.reduce((bytes, part) => bytes + part.length, 0),
  );
}

function failed(index: number, cause: unknown): RaftError {
  return new RaftError('apply-failed', `the state machine failed at index ${index}: ${String(cause)}`, {
    cause,
  });
}
