import type { GroupId, NetworkId } from '@mosaik/wire';
import { isCommand, type RaftLog } from './core/log.ts';
import { RaftError } from './errors.ts';
import type { ApplyContext, StateMachine } from './state-machine.ts';

export interface ApplierInit<C, Q, R, O> {
  readonly machine: StateMachine<C, Q, R, O>;
  readonly log: RaftLog;
  readonly groupId: GroupId;
  readonly networkId: NetworkId;
  readonly handleApplied: (index: number, output: O) => void;
}

/** Feeds committed commands to the machine, in order, each once. */
export class Applier<C, Q, R, O> {
  readonly #init: ApplierInit<C, Q, R, O>;
  /** Everything up to here is in the machine. */
  applied = 0;

  constructor(init: ApplierInit<C, Q, R, O>) {
    this.#init = init;
  }

  /** @throws RaftError `apply-failed` when the machine, or its codec, throws. */
  applyTo(to: number): void {
    if (to <= this.applied) return;
    if (this.#init.machine.applyBatch) this.#applyBatch(to);
    else this.#applyEach(to);
    this.applied = to;
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

function failed(index: number, cause: unknown): RaftError {
  return new RaftError('apply-failed', `the state machine failed at index ${index}: ${String(cause)}`, {
    cause,
  });
}
