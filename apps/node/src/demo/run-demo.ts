import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from '../cli/command-error.ts';
import { stopSignal } from '../node/stop-signal.ts';
import type { ChildNode, ExitReason } from './child-node.ts';
import { DemoGroup, type DemoGroupInit } from './demo-group.ts';
import { rehearse } from './rehearse.ts';

export interface DemoInit extends DemoGroupInit {
  readonly once: boolean;
}

/** How long a killed node stays away, so that there is something to watch. */
const RESTART_DELAY_MS = 5_000;

/** Runs a group of child processes: until told to stop, or with `once` through a failover and back. */
export async function runDemo(init: DemoInit): Promise<void> {
  const stopped = new AbortController();
  const { signal } = stopped;
  const stop = stopSignal({ untilStdinEnds: false }).then((reason) => {
    stopped.abort(new CommandError(`stopped by ${reason}`));
  });
  const group = await DemoGroup.prepare(init);
  let unclean: readonly string[] = [];
  try {
    if (init.once) await Promise.race([rehearse(group, print, signal), stop]);
    else await Promise.race([show(group, signal), stop]);
    if (init.once) signal.throwIfAborted();
  } catch (error) {
    if (!signal.aborted) printLogs(group.nodes);
    throw error;
  } finally {
    stopped.abort(new CommandError('the demo is over'));
    unclean = await group.close();
  }
  if (unclean.length > 0) throw new CommandError(`${unclean.join(', ')} did not leave with exit code 0`);
}

/** Prints where to look, and keeps every node running. Never resolves. */
async function show(group: DemoGroup, signal: AbortSignal): Promise<void> {
  await group.start();
  print(`a group of ${group.nodes.length}; every node has a dashboard:`);
  for (const node of group.nodes) print(`  ${node.name}  ${node.ready.http}  pid ${node.pid}`);
  print('kill one and watch the others carry on; Ctrl-C ends all');
  await Promise.all(group.nodes.map((node) => keepRunning(group, node, signal)));
}

async function keepRunning(group: DemoGroup, node: ChildNode, signal: AbortSignal): Promise<void> {
  for (;;) {
    const reason = await node.exited;
    signal.throwIfAborted();
    print(
      `${node.name} ended with ${describeExit(reason)}; starting it again in ${RESTART_DELAY_MS / 1000} s`,
    );
    await delay(RESTART_DELAY_MS, undefined, { signal });
    await group.restart(node);
    print(`${node.name} is back, pid ${node.pid}`);
  }
}

function describeExit({ code, signal }: ExitReason): string {
  return signal ?? `exit code ${code}`;
}

function printLogs(nodes: readonly ChildNode[]): void {
  for (const node of nodes) {
    const state = node.running ? 'running' : 'ended';
    process.stderr.write(`--- ${node.name}, pid ${node.pid}, ${state}; its last log lines:\n`);
    for (const line of node.log) process.stderr.write(`${line}\n`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
