import type { Cluster } from './cluster.ts';
import { casCommand, writeCommand } from './commands.ts';
import type { SimNode } from './sim-node.ts';

/** What clients know and share. */
interface Clients {
  /** A value that nobody wrote before. */
  nextValue(): string;
  nextKey(): string;
  /** What was last written to each key. */
  readonly latest: Map<string, string>;
}

/** Something that a client or an operator asks of a member. */
interface Operation {
  readonly weight: number;
  run(cluster: Cluster, node: SimNode, clients: Clients): void;
}

const OPERATIONS: readonly Operation[] = [
  { weight: 6, run: write },
  { weight: 2, run: compareAndSet },
  { weight: 3, run: (cluster, node, { nextKey }) => cluster.read(node, nextKey()) },
];

const KEYS = 6;

export interface Load {
  /** Longest pause between two operations. */
  readonly pauseMs: number;
  /** How often somebody who leads, or thinks so, is asked, rather than anybody. */
  readonly leaders: number;
  /** How often a read is asked for, beside what there is. */
  readonly reads: number;
}

/** Operations at random members, until told to stop. */
export function startWorkload(cluster: Cluster, load: Load): { stop(): void } {
  let stopped = false;
  let value = 0;
  const clients: Clients = {
    nextValue: () => `v${value++}`,
    nextKey: () => `k${cluster.int(KEYS)}`,
    latest: new Map(),
  };
  const next = () => {
    if (stopped) return;
    const { nodes } = cluster;
    const leaders = load.leaders > 0 && cluster.chance(load.leaders) ? cluster.leaders : [];
    const node = (leaders[cluster.int(leaders.length)] ?? nodes[cluster.int(nodes.length)]) as SimNode;
    if (load.reads > 0 && cluster.chance(load.reads)) cluster.read(node, clients.nextKey());
    else cluster.weighted(OPERATIONS).run(cluster, node, clients);
    cluster.after(cluster.rng.float() * load.pauseMs, next);
  };
  next();
  return {
    stop: () => {
      stopped = true;
    },
  };
}

const PATIENCE_MS = 1000;

/** Writes and reads through every member, again where they fail: whether each answers both within `limitMs`. */
export function servesEverywhere(cluster: Cluster, limitMs: number): boolean {
  const { served } = cluster.checker;
  served.clear();
  const untilMs = cluster.nowMs + limitMs;
  const isServed = (node: SimNode) => served.get(node) === 'both';
  for (let attempt = 0; cluster.nowMs < untilMs; attempt += 1) {
    for (const node of cluster.nodes) {
      if (isServed(node)) continue;
      cluster.propose(node, [writeCommand('last', `${node.index}.${attempt}`)]);
      cluster.read(node, 'last');
    }
    if (cluster.runUntil(() => cluster.nodes.every(isServed), PATIENCE_MS)) return true;
  }
  return false;
}

function write(cluster: Cluster, node: SimNode, { nextKey, nextValue, latest }: Clients): void {
  const commands = Array.from({ length: 1 + cluster.int(6) }, () => {
    const [key, value] = [nextKey(), nextValue()];
    latest.set(key, value);
    return writeCommand(key, value);
  });
  cluster.propose(node, commands);
}

/** Mostly with what is there, so far as clients know. */
function compareAndSet(cluster: Cluster, node: SimNode, { nextKey, nextValue, latest }: Clients): void {
  const [key, value] = [nextKey(), nextValue()];
  const expected = latest.get(key) ?? '';
  latest.set(key, value);
  cluster.propose(node, [casCommand(key, expected, value)]);
}
