import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CommandError } from '../cli/command-error.ts';
import type { TransportName } from '../cli/defaults.ts';
import { ApiClient } from '../client/api-client.ts';

export interface ChildNodeInit {
  /** As people call it: `node 1`. */
  readonly name: string;
  readonly executable: string;
  readonly network: string;
  readonly transport: TransportName;
  readonly keyFile: string;
  readonly dataDir: string;
  readonly http: string;
}

interface Ready {
  readonly peerId: string;
  readonly addresses: readonly string[];
  readonly http: string;
}

export interface ExitReason {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const KEPT_LOG_LINES = 40;
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 12_000;

/** One `mosaik up` in a process of its own. It keeps identity and ports when it is started again. */
export class ChildNode {
  readonly #init: ChildNodeInit;
  readonly #log: string[] = [];
  #process: ChildProcess | undefined;
  #exited: Promise<ExitReason> = Promise.resolve({ code: 0, signal: null });
  #ready: Ready | undefined;

  constructor(init: ChildNodeInit) {
    this.#init = init;
  }

  get name(): string {
    return this.#init.name;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get running(): boolean {
    return (
      this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    );
  }

  /** What the node said when it was ready. */
  get ready(): Ready {
    if (!this.#ready) throw new Error(`${this.name} was never ready`);
    return this.#ready;
  }

  get api(): ApiClient {
    return new ApiClient({ url: this.ready.http, timeoutMs: 5_000 });
  }

  /** Resolves when the running process has ended. */
  get exited(): Promise<ExitReason> {
    return this.#exited;
  }

  /** What it logged last. */
  get log(): readonly string[] {
    return this.#log;
  }

  /** Resolves when it serves. @throws CommandError when it ends before, or takes too long. */
  async start(bootstrap: readonly string[]): Promise<void> {
    const { executable, network, transport, keyFile, dataDir } = this.#init;
    const before = this.#ready;
    const listen = before?.addresses[0] ?? '127.0.0.1:0';
    const http = before ? new URL(before.http).host : this.#init.http;
    const args = ['up', '--json', '--until-stdin-ends', '--network', network, '--key-file', keyFile];
    args.push('--transport', transport, '--data-dir', dataDir, '--listen', listen, '--http', http);
    for (const address of bootstrap) args.push('--bootstrap', address);
    const child = spawn(process.execPath, [executable, ...args], {
      // Its stdin ends when this process does, in whatever way: it then stops too.
      stdio: ['pipe', 'pipe', 'pipe'],
      // A process group of its own: Ctrl-C in a terminal reaches this process alone, which then stops the nodes.
      detached: process.platform !== 'win32',
      env: withoutSettings(process.env),
    });
    this.#process = child;
    child.stdin?.on('error', () => {});
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#log.push(line);
      if (this.#log.length > KEPT_LOG_LINES) this.#log.shift();
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#log.push(error.message);
        resolve({ code: null, signal: null });
      });
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.#ready = await this.#whenReady(child);
  }

  /** Ends it without a chance to say goodbye. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to leave; ends it when it does not. Resolves with how it ended. */
  async stop(): Promise<ExitReason> {
    const force = setTimeout(() => this.#process?.kill('SIGKILL'), STOP_TIMEOUT_MS);
    this.#process?.kill('SIGTERM');
    const reason = await this.#exited;
    clearTimeout(force);
    return reason;
  }

  #whenReady(child: ChildProcess): Promise<Ready> {
    return new Promise((resolve, reject) => {
      const fail = (problem: string) => reject(new CommandError(`${this.name} ${problem}`));
      const timer = setTimeout(() => fail(`was not ready within ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
      if (child.stdout) {
        createInterface({ input: child.stdout }).once('line', (line) => {
          clearTimeout(timer);
          resolve(JSON.parse(line) as Ready);
        });
      }
      void this.#exited.then(({ code, signal }) => {
        clearTimeout(timer);
        fail(`ended with ${signal ?? `code ${code}`}: ${this.#log.at(-1) ?? 'it said nothing'}`);
      });
    });
  }
}

/** What is set for a node of the user's is not for these. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('MOSAIK_')));
}
