import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Answer, Deed, MemberStart, Report, Request } from './messages.ts';

/** How long an answer may take; longer than any call of a member may. */
const ANSWER_TIMEOUT_MS = 8000;
const KEPT_LOG_LINES = 30;

/** One member as its parent sees it: a process now and then, always the same identity and directory. */
export class Member {
  readonly name: string;
  readonly #executable: string;
  readonly #start: MemberStart;
  /** In front of the command, such as what puts it in a namespace. */
  readonly #prefix: readonly string[];
  readonly #log: string[] = [];
  readonly #calls = new Map<number, (answer: Answer | undefined) => void>();
  #process: ChildProcess | undefined;
  #nextCall = 1;
  #paused = false;
  starts = 0;
  /** Over all its lives. */
  readonly deeds = new Map<Deed, number>();

  constructor(name: string, executable: string, start: MemberStart, prefix: readonly string[]) {
    this.name = name;
    this.#executable = executable;
    this.#start = start;
    this.#prefix = prefix;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get log(): readonly string[] {
    return this.#log;
  }

  /** Resolves when the process took up its work. */
  async start(): Promise<void> {
    const [command = '', ...args] = [
      ...this.#prefix,
      process.execPath,
      this.#executable,
      JSON.stringify(this.#start),
    ];
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#process = child;
    this.#paused = false;
    this.starts += 1;
    if (child.stderr) {
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.#log.push(line);
        if (this.#log.length > KEPT_LOG_LINES) this.#log.shift();
      });
    }
    const ended = once(child, 'exit').then(([code, signal]) => {
      if (this.#process === child) this.#process = undefined;
      for (const settle of this.#calls.values()) settle(undefined);
      this.#calls.clear();
      return signal ?? code;
    });
    child.on('error', () => {});
    await new Promise<void>((resolve, reject) => {
      child.on('message', (said: Report) => {
        if ('ready' in said) resolve();
        else if ('deed' in said) this.deeds.set(said.deed, (this.deeds.get(said.deed) ?? 0) + 1);
        else {
          this.#calls.get(said.call)?.(said.answer);
          this.#calls.delete(said.call);
        }
      });
      void ended.then((how) => reject(new Error(`${this.name} ended with ${how}: ${this.#log.at(-1)}`)));
    });
  }

  /** Undefined when there is no answer: the process died, was stopped for long, or is not there. */
  ask(request: Request): Promise<Answer | undefined> {
    const child = this.#process;
    if (!child?.connected) return Promise.resolve(undefined);
    const call = this.#nextCall;
    this.#nextCall += 1;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#calls.delete(call);
        resolve(undefined);
      }, ANSWER_TIMEOUT_MS);
      this.#calls.set(call, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      child.send({ call, request }, () => {});
    });
  }

  /** As if the power of its machine were cut; resolves when it is dead. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  pause(): void {
    this.#paused = this.#process?.kill('SIGSTOP') ?? false;
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
    this.#paused = false;
  }
}
