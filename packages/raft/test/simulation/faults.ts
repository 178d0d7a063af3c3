import { isMember } from '../../src/core/epoch.ts';
import type { Cluster } from './cluster.ts';
import type { SimNode } from './sim-node.ts';

/** What decides which faults a run has. */
export interface FaultPlan {
  /** Crashed members find their logs again. */
  readonly durable: boolean;
  readonly partitions: boolean;
}

export interface Fault extends FaultPlan {
  readonly cluster: Cluster;
  /** Whom it happens to, more often the leader than chance would have it. */
  readonly victim: SimNode;
}

export interface FaultKind {
  readonly weight: number;
  /** Only in runs with partitions. */
  readonly parts?: boolean;
  /** Only in runs with an explicit set. */
  readonly voters?: boolean;
  /** Only in runs where a crash takes the log. */
  readonly forgets?: boolean;
  run(fault: Fault): void;
}

const FAULTS: readonly FaultKind[] = [
  { weight: 2, run: crash },
  { weight: 1, run: ({ cluster, victim }) => cluster.reset(victim, pickOther(cluster, victim)) },
  {
    weight: 1,
    run: ({ cluster, victim }) => cluster.stall(victim, pickOther(cluster, victim), cluster.int(900)),
  },
  { weight: 1, run: leave },
  { weight: 1, run: stallSeveral },
  {
    weight: 1,
    run: ({ cluster }) => {
      for (const node of cluster.nodes) cluster.start(node);
    },
  },
  { weight: 1, run: transfer },
  { weight: 2, voters: true, run: changeVoters },
  { weight: 1, run: pause },
  { weight: 1, run: trouble },
  { weight: 1, parts: true, run: part },
  { weight: 1, parts: true, run: cutOneWay },
  { weight: 1, parts: true, run: ({ cluster }) => cluster.healAll() },
];

/** One fault, drawn by weight. */
export function disturb(cluster: Cluster, plan: FaultPlan): void {
  const { nodes } = cluster;
  const leader = cluster.leaders[0];
  const victim = leader && cluster.chance(0.4) ? leader : (nodes[cluster.int(nodes.length)] as SimNode);
  const possible = FAULTS.filter(
    ({ parts, voters }) => (!parts || plan.partitions) && (!voters || cluster.init.mode === 'voters'),
  );
  cluster.weighted(possible).run({ ...plan, cluster, victim });
}

export function crash({ cluster, victim, durable }: Fault): void {
  if (!mayCrash(cluster, victim, durable)) return;
  cluster.crash(victim, durable);
  cluster.after(cluster.int(cluster.chance(0.5) ? 200 : 4000), () => cluster.start(victim));
}

function leave({ cluster, victim, durable }: Fault): void {
  // A leave takes its time; without kept logs a second restart could slip in.
  if (!cluster.chance(0.3) || (!durable && cluster.init.mode !== 'dynamic')) return;
  cluster.leave(victim, durable);
  cluster.after(1000 + cluster.int(4000), () => cluster.start(victim));
}

function stallSeveral({ cluster, victim }: Fault): void {
  for (const node of cluster.nodes) {
    if (node !== victim && cluster.chance(0.5)) cluster.stall(victim, node, cluster.int(1500));
  }
}

/** Asked of any member, for any member or nobody in particular. */
function transfer({ cluster, victim }: Fault): void {
  const to = cluster.chance(0.5) ? pickOther(cluster, victim).id : undefined;
  cluster.request(victim, { type: 'Transfer', to });
}

/** Several at once, most of which are refused. */
export function changeVoters({ cluster, victim }: Fault): void {
  for (let count = 1 + cluster.int(3); count > 0; count -= 1) {
    const { id } = cluster.chance(0.3) ? victim : pickOther(cluster, victim);
    const asked = cluster.chance(0.7) ? (cluster.leaders[0] ?? victim) : victim;
    cluster.request(asked, { type: cluster.chance(0.5) ? 'AddVoter' : 'RemoveVoter', peer: id });
  }
}

/** The process stands still: stopped, swapped out, or busy with something else. */
export function pause({ cluster, victim }: Fault): void {
  const untilMs = cluster.nowMs + cluster.int(cluster.chance(0.5) ? 300 : 3000);
  victim.pausedUntilMs = Math.max(victim.pausedUntilMs, untilMs);
}

/** The disk is slow for a while, or fails to sync, which ends the process; the write may be there all the same. */
function trouble({ cluster, victim, durable }: Fault): void {
  if (!durable) return;
  if (cluster.chance(0.5)) {
    victim.slowSyncs = 20;
    cluster.after(cluster.int(3000), () => {
      victim.slowSyncs = 1;
    });
  } else {
    victim.failsToSync = true;
    cluster.after(1000 + cluster.int(3000), () => cluster.start(victim));
  }
}

function cutOneWay({ cluster, victim }: Fault): void {
  const other = pickOther(cluster, victim);
  if (other === victim) return;
  if (cluster.chance(0.5)) cluster.cutOneWay(victim, other);
  else for (const node of cluster.nodes) if (node !== victim) cluster.cutOneWay(node, victim);
}

function part({ cluster }: Fault): void {
  const { nodes } = cluster;
  const inside = nodes.filter(() => cluster.chance(0.5));
  for (const a of inside) for (const b of nodes) if (!inside.includes(b)) cluster.cut(a, b);
}

export function pickOther(cluster: Cluster, node: SimNode): SimNode {
  const others = cluster.nodes.filter((other) => other !== node);
  return others[cluster.int(others.length)] ?? node;
}

/**
 * Voters with logs in memory promise nothing once a majority of the set lost its log: whichever set, of all that a log
 * names or that a leader has begun to ask, turns out to be in force.
 */
function mayCrash(cluster: Cluster, victim: SimNode, durable: boolean): boolean {
  if (cluster.init.mode === 'dynamic' || durable) return true;
  const intact = cluster.nodes.filter(
    (node) => node !== victim && node.alive && (node.life === 1 || node.core.log.last > 0),
  );
  const sets = cluster.nodes
    .filter(({ alive }) => alive)
    .flatMap(({ core }) => [core.log.members, core.state.leadership?.prospect?.members ?? []]);
  return (
    intact.length * 2 > cluster.nodes.length &&
    sets.every((set) => {
      const kept = intact.filter((node) => isMember(set, node.id, node.core.state.incarnation));
      return kept.length * 2 > set.length || set.length === 0;
    })
  );
}
