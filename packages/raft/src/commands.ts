import { UniqueId } from '@mosaik/wire';
import type { Clock, Timer } from '@mosaik/wire/runtime';
import { DEFAULT_CALL_TIMEOUT_MS, type ExecuteOptions } from './call-options.ts';
import { type Calls, refusal } from './calls.ts';
import { RaftError, type ToError } from './errors.ts';
import { type PendingCall, uncertain } from './pending.ts';
import type { StateMachine } from './state-machine.ts';

const SWEEP_INTERVAL_MS = 1000;
const MAX_IDEMPOTENCY_KEY_LENGTH = 256;

export interface CommandsInit<C, O> {
  readonly calls: Calls<O>;
  readonly clock: Clock;
  readonly machine: Pick<StateMachine<C, never, unknown, O>, 'command' | 'output'>;
  readonly maxCommandBytes: number;
  readonly witness: boolean;
  readonly toError: ToError;
  /** @throws RaftError `terminated`. */
  readonly assertOpen: () => void;
  /** A call was added. */
  readonly changed: () => void;
  /** Calls that could not be sent so far may be tried again. */
  readonly maybeContinue: () => void;
}

/** `feed`: answered when the commands have their place. */
type CommandOptions = ExecuteOptions & { readonly feed: boolean };

/** Who waits for a call. */
type Waiting<O> = Pick<PendingCall<O>, 'answer' | 'resolve' | 'reject'>;

/** What callers want executed or fed: checked, encoded, and given up when their time is over or they abort. */
export class Commands<C, O> {
  readonly #init: CommandsInit<C, O>;
  #sweep: Timer | undefined;
  #closed = false;

  constructor(init: CommandsInit<C, O>) {
    this.#init = init;
  }

  /** Rejects with RaftError, with what `signal` says, or with TypeError / RangeError for a key that is none. */
  call<T>(commands: readonly C[], options: CommandOptions, answer: (call: PendingCall<O>) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiting = { answer, resolve: resolve as (answer: unknown) => void, reject };
      try {
        if (options.signal === undefined && options.timeoutMs === undefined)
          this.#add(commands, options, waiting);
        else this.#addLimited(commands, options, waiting);
      } catch (error) {
        reject(this.#init.toError(error, commands));
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.#sweep?.cancel();
  }

  #add(
    commands: readonly C[],
    { signal, timeoutMs, feed, idempotencyKey }: CommandOptions,
    { answer, resolve, reject }: Waiting<O>,
  ): PendingCall<O> {
    const { clock, calls, changed, witness } = this.#init;
    const key = idempotencyKey === undefined ? undefined : this.#parseKey(idempotencyKey);
    this.#init.assertOpen();
    signal?.throwIfAborted();
    if (witness) throw withoutMachine(commands);
    const call: PendingCall<O> = {
      commands: this.#encode(commands),
      given: commands,
      feed,
      key,
      deadlineMs:
        timeoutMs === undefined ? clock.nowMs() + DEFAULT_CALL_TIMEOUT_MS : Number.POSITIVE_INFINITY,
      answer,
      resolve,
      reject,
      settled: false,
      number: 0,
      epoch: undefined,
      doubtful: false,
      from: 0,
      output: undefined,
      outputs: commands.length === 1 ? undefined : [],
    };
    calls.add(call);
    changed();
    this.#sweep ??= clock.schedule(SWEEP_INTERVAL_MS, () => this.#handleSweep());
    return call;
  }

  /** With a time or a signal of its own: apart, so that a call without them does not carry what they need. */
  #addLimited(
    commands: readonly C[],
    options: CommandOptions,
    { answer, resolve, reject }: Waiting<O>,
  ): void {
    const { clock, calls } = this.#init;
    const { signal, timeoutMs } = options;
    const finish = () => {
      timer?.cancel();
      signal?.removeEventListener('abort', abort);
    };
    const call = this.#add(commands, options, {
      answer,
      resolve: (value) => {
        finish();
        resolve(value);
      },
      reject: (error) => {
        finish();
        reject(error);
      },
    });
    const giveUp = (why: string, unsent: () => unknown) => {
      calls.giveUp(call, unsent, () => uncertain(why));
    };
    const abort = () => giveUp('aborted after it was sent', () => signal?.reason);
    signal?.addEventListener('abort', abort);
    const timer =
      timeoutMs === undefined
        ? undefined
        : clock.schedule(timeoutMs, () => giveUp('no answer in time', () => refusal('Offline', commands)));
  }

  #handleSweep(): void {
    this.#sweep = undefined;
    const { calls, clock, maybeContinue } = this.#init;
    calls.expire(clock.nowMs());
    calls.wake();
    maybeContinue();
    if (calls.size > 0 && !this.#closed)
      this.#sweep = clock.schedule(SWEEP_INTERVAL_MS, () => this.#handleSweep());
  }

  #parseKey(key: string): UniqueId {
    if (typeof key !== 'string') throw new TypeError(`idempotencyKey must be a string, got ${typeof key}`);
    if (key.length < 1 || key.length > MAX_IDEMPOTENCY_KEY_LENGTH)
      throw new RangeError(
        `idempotencyKey must have 1 to ${MAX_IDEMPOTENCY_KEY_LENGTH} characters, got ${key.length}`,
      );
    if (!this.#init.machine.output)
      throw new TypeError('idempotencyKey needs a machine with an output codec');
    return UniqueId.from(`key ${key}`);
  }

  #encode(commands: readonly C[]): Uint8Array[] {
    if (commands.length === 0) throw new RaftError('no-commands', 'there is no command to execute');
    const { machine, maxCommandBytes } = this.#init;
    const encoded: Uint8Array[] = [];
    let bytes = 0;
    try {
      for (const command of commands) {
        const value = machine.command.encode(command);
        bytes += value.length;
        encoded.push(value);
      }
    } catch (cause) {
      throw new RaftError('encoding', `the command cannot be encoded: ${String(cause)}`, { cause });
    }
    if (bytes > maxCommandBytes) {
      throw new RaftError(
        'too-large',
        `${bytes} bytes of commands are above maxCommandBytes ${maxCommandBytes}`,
      );
    }
    return encoded;
  }
}

export function withoutMachine(commands?: readonly unknown[]): RaftError {
  return new RaftError('offline', 'a witness has no state machine: ask another member', { commands });
}
