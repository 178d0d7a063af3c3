import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import type { Links } from './links.ts';

const PORT = 4000;
/** Never routed anywhere: each member has one of these, and nothing else has any in its namespace. */
const address = (member: number) => `10.213.9.${member + 1}`;
const device = (to: number) => `to${to}`;

/**
 * Members in a network namespace each, with a pair of virtual interfaces between every two of them that is taken down
 * to separate the two.
 *
 * A namespace has no name: a process holds it that ends when its input does. So nothing is left behind, however this
 * process and the members end, and nothing that others made can be meant.
 *
 * @throws where namespaces, or interfaces in them, cannot be made.
 */
export async function namespaceLinks(members: number): Promise<Links> {
  const holders: ChildProcess[] = [];
  const down = new Set<string>();
  const close = async () => {
    await Promise.all(holders.map(end));
  };
  const inside = (member: number) => ['--target', String(holders[member]?.pid), '--net'];
  const ip = (member: number, ...args: string[]) =>
    execFileSync('nsenter', [...inside(member), 'ip', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const others = (member: number) => Array.from({ length: members }, (_, i) => i).filter((i) => i !== member);
  const open = (from: number, to: number) => {
    ip(from, 'link', 'set', device(to), 'up');
    // An interface that was down has lost its route.
    ip(from, 'route', 'replace', address(to), 'dev', device(to), 'src', address(from));
  };

  try {
    for (let i = 0; i < members; i += 1) holders.push(await hold());
    for (let i = 0; i < members; i += 1) {
      ip(i, 'link', 'set', 'lo', 'up');
      ip(i, 'addr', 'add', `${address(i)}/32`, 'dev', 'lo');
      for (const j of others(i).filter((other) => other > i)) {
        const far = ['peer', 'name', device(i), 'netns', String(holders[j]?.pid)];
        ip(i, 'link', 'add', device(j), 'type', 'veth', ...far);
      }
    }
    for (let i = 0; i < members; i += 1) for (const j of others(i)) open(i, j);
  } catch (error) {
    await close();
    throw error;
  }

  return {
    kind: 'namespaces',
    canDelay: false,
    prefix: (member) => ['nsenter', ...inside(member), '--'],
    listen: (member) => `${address(member)}:${PORT}`,
    address: (member) => `${address(member)}:${PORT}`,
    async cut(a, b) {
      const key = `${a}-${b}`;
      if (down.has(key)) return;
      down.add(key);
      ip(a, 'link', 'set', device(b), 'down');
    },
    async heal() {
      for (const key of down) {
        const [a = 0, b = 0] = key.split('-').map(Number);
        open(a, b);
      }
      down.clear();
    },
    async delay() {
      throw new Error('namespaces do not delay');
    },
    close,
  };
}

/** A process in a namespace of its own, which it keeps until it ends, at the latest with this process. */
async function hold(): Promise<ChildProcess> {
  const own = readlinkSync('/proc/self/ns/net');
  const child = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const failed = once(child, 'exit').then(() => {
    throw new Error(`unshare: ${said.trim()}`);
  });
  failed.catch(() => {});
  await Promise.race([once(child.stdout as NonNullable<typeof child.stdout>, 'data'), failed]);
  // Whatever is done in there must not be done to the machine itself.
  if (readlinkSync(`/proc/${child.pid}/ns/net`) === own) {
    await end(child);
    throw new Error('unshare: the namespace is not a new one');
  }
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
}
