import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bench, Child, Parent, Row } from './bench.ts';

/** Runs a benchmark, or in a child process one of its roles. */
export async function main(bench: Bench): Promise<void> {
  const role = process.env.MOSAIK_BENCH_ROLE;
  if (role !== undefined) {
    process.on('disconnect', () => process.exit());
    await bench.roles[role]?.(channel(process));
    return;
  }
  const json = process.argv.includes('--json');
  const children: Child[] = [];
  await bench.run({
    report: (row) =>
      console.log(json ? JSON.stringify({ bench: bench.name, ...row }) : describeRow(bench.name, row)),
    start: (name) => {
      const child = start(name);
      children.push(child);
      return child;
    },
  });
  for (const child of children) await child.stop();
  process.exit(0);
}

function start(role: string): Child {
  const child = fork(fileURLToPath(import.meta.url), [], {
    env: { ...process.env, MOSAIK_BENCH_ROLE: role },
    serialization: 'advanced',
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    ...channel(child),
    kill: (signal) => child.kill(signal),
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

function channel(process: NodeJS.Process | ChildProcess): Parent {
  const messages: unknown[] = [];
  const readers: ((message: unknown) => void)[] = [];
  process.on('message', (message: unknown) => {
    const reader = readers.shift();
    if (reader) reader(message);
    else messages.push(message);
  });
  return {
    send: (message) => process.send?.(message as object),
    next: <T>() =>
      new Promise<T>((resolve) => {
        if (messages.length > 0) resolve(messages.shift() as T);
        else readers.push(resolve as (message: unknown) => void);
      }),
  };
}

function describeRow(bench: string, row: Row): string {
  const value = `${row.value.toPrecision(4)} ${row.unit}`;
  const versus =
    row.peer === undefined
      ? ''
      : `  ${row.ratio?.toPrecision(3)} × ${row.peer} (${row.peerValue?.toPrecision(4)} ${row.unit})`;
  return `${bench}  ${row.metric.padEnd(44)} ${value.padStart(14)}${versus}`;
}
