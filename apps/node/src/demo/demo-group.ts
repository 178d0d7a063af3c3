import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GroupKey } from '@mosaik/handshake';
import { CommandError } from '../cli/command-error.ts';
import type { TransportName } from '../cli/defaults.ts';
import { describeError, systemErrorCode } from '../cli/describe-error.ts';
import { UsageError } from '../cli/usage-error.ts';
import { createPrivateFile } from '../files/create-private-file.ts';
import { formatGroupKey } from '../files/group-key.ts';
import { ChildNode } from './child-node.ts';

export interface DemoGroupInit {
  readonly executable: string;
  readonly nodes: number;
  readonly transport: TransportName;
  /** Address of the first node's HTTP. */
  readonly http: string;
  /** Undefined: a private temporary directory, removed in the end. */
  readonly dataDir: string | undefined;
}

/** A group of child processes on loopback, with a key and directories of its own. */
export class DemoGroup {
  readonly nodes: readonly ChildNode[];
  readonly #directory: string;
  readonly #temporary: boolean;
  #closed = false;

  private constructor(nodes: readonly ChildNode[], directory: string, temporary: boolean) {
    this.nodes = nodes;
    this.#directory = directory;
    this.#temporary = temporary;
  }

  /** Makes what the nodes need; starts none. @throws UsageError for a directory that can not be used. */
  static async prepare(init: DemoGroupInit): Promise<DemoGroup> {
    const temporary = init.dataDir === undefined;
    const directory = init.dataDir ?? (await mkdtemp(join(tmpdir(), 'mosaik-demo-')));
    const keyFile = join(directory, 'group.key');
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await createPrivateFile(keyFile, formatGroupKey(GroupKey.generate())).catch((error: unknown) => {
        if (systemErrorCode(error) !== 'EEXIST') throw error;
      });
      await access(keyFile);
    } catch (error) {
      throw UsageError.for('--data-dir', directory, `can not be used: ${describeError(error)}`, {
        cause: error,
      });
    }
    const nodes = Array.from({ length: init.nodes }, (_, index) => {
      return new ChildNode({
        name: `node ${index + 1}`,
        executable: init.executable,
        network: 'demo',
        transport: init.transport,
        keyFile,
        dataDir: join(directory, `node-${index + 1}`),
        http: index === 0 ? init.http : '127.0.0.1:0',
      });
    });
    return new DemoGroup(nodes, directory, temporary);
  }

  /** Starts the first, then the others with its address. */
  async start(): Promise<void> {
    const [first, ...others] = this.nodes;
    if (!first) return;
    await first.start([]);
    this.#assertOpen();
    await Promise.all(others.map((node) => node.start(bootstrapOf([first]))));
  }

  /** Starts one again, with the addresses of the others. */
  async restart(node: ChildNode): Promise<void> {
    this.#assertOpen();
    await node.start(bootstrapOf(this.nodes.filter((other) => other !== node)));
  }

  /** Stops every process and removes what was temporary. Resolves with the names of those that did not exit with 0. */
  async close(): Promise<string[]> {
    this.#closed = true;
    const running = this.nodes.filter((node) => node.running);
    const reasons = await Promise.all(running.map((node) => node.stop()));
    if (this.#temporary) await rm(this.#directory, { recursive: true, force: true });
    return running.filter((_, index) => reasons[index]?.code !== 0).map(({ name }) => name);
  }

  /** A process started after the end would never be stopped. */
  #assertOpen(): void {
    if (this.#closed) throw new CommandError('the demo is over');
  }
}

function bootstrapOf(nodes: readonly ChildNode[]): string[] {
  return nodes.flatMap(({ ready }) => ready.addresses.map((address) => `${ready.peerId}@${address}`));
}
