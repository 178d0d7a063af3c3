import type { Cluster } from './cluster.ts';
import type { SimNode } from './sim-node.ts';

/** Something that a client or an operator asks of a member. */
interface Operation {
  readonly weight: number;
  /** `values`: a few that nobody wrote before. */
  run(cluster: Cluster, node: SimNode, values: () => string[]): void;
}

const OPERATIONS: readonly Operation[] = [
  { weight: 8, run: (cluster, node, values) => cluster.propose(node, values()) },
  { weight: 2, run: (cluster, node) => cluster.read(node) },
];

/** Operations at random members, until virtual time has come to `untilMs`. */
export function startWorkload(cluster: Cluster, untilMs: number): void {
  let value = 0;
  const load = () => {
    const node = cluster.nodes[cluster.int(cluster.nodes.length)] as SimNode;
    const length = 1 + cluster.int(6);
    cluster.weighted(OPERATIONS).run(cluster, node, () => Array.from({ length }, () => `v${value++}`));
    if (cluster.nowMs < untilMs) cluster.after(cluster.rng.float() * 120, load);
  };
  load();
}
