import { Cluster, type ClusterInit, type SimNode } from './cluster.ts';
import { fightForLeadership } from './duel.ts';
import { disturb, type FaultPlan } from './faults.ts';
import { startSessionClients } from './session-clients.ts';
import { servesEverywhere, startWorkload } from './workload.ts';

export interface ScenarioInit extends Partial<ClusterInit> {
  readonly seed: number;
  readonly mode: 'dynamic' | 'voters';
  /** By default the seed decides. */
  readonly kind?: ScenarioKind | undefined;
}

/**
 * A `life` has faults of every kind. A `duel` is shorter and denser, and all about leadership. `twins` are two groups that
 * were founded apart and know of no difference between them when they meet.
 */
export type ScenarioKind = 'life' | 'duel' | 'twins';

/** Longer than any fault goes on by itself. */
const LAST_FAULT_MS = 3000;
const QUIET_WITHIN_MS = 15_000;
const SERVE_WITHIN_MS = 10_000;

/** Of sixteen: lives, of both modes. */
const SEEDS_WITH_SESSIONS = [6, 13];

/** What a run did, for those that look at many. */
export interface ScenarioResult {
  readonly acked: number;
  readonly forced: number;
  /** Commands that members gave up. */
  readonly lost: number;
  readonly steps: number;
  /** Equal for runs in which the same happened. */
  readonly digest: string;
}

/**
 * One seeded life of a group: starts, load, faults, then quiet, after which all must agree. Everything follows from the
 * seed.
 *
 * @throws InvariantViolation
 */
export function runScenario(init: ScenarioInit): ScenarioResult {
  const kind = init.kind ?? kindOf(init);
  const size = init.size ?? sizeOf(kind, init.seed);
  const durable = init.mode === 'voters' ? (init.seed >> 4) % 3 !== 0 : (init.seed >> 4) % 2 === 0;
  // An observer whose log outlives everybody else's would keep them from founding anew (D5): only where logs are kept.
  const observers = init.mode === 'dynamic' && durable && size > 2 && init.seed % 5 === 0 ? [size - 1] : [];
  const witness = init.mode === 'voters' && size > 2 && init.seed % 4 === 1;
  const cluster = new Cluster({
    observers,
    witness,
    maxDelayMs: [2, 20, 60][init.seed % 3] ?? 20,
    maxSyncMs: durable ? [0, 5, 30][(init.seed >> 2) % 3] : 0,
    drift: [0, 0, 0.01][(init.seed >> 5) % 3],
    snapshotEvery: [undefined, 7, 16, 50][(init.seed >> 1) % 4],
    sessions: SEEDS_WITH_SESSIONS.includes(init.seed % 16),
    maxSkewMs: [0, 20_000, 120_000][(init.seed >> 6) % 3],
    ...init,
    size,
  });
  const partitions = init.mode === 'voters' || (init.seed >> 3) % 2 === 0;
  if (kind === 'twins') cutInHalves(cluster);
  for (const node of cluster.nodes) {
    const late = kind !== 'twins' && cluster.chance(0.2) ? 4000 : 30;
    cluster.after(cluster.rng.float() * late, () => cluster.start(node));
  }
  cluster.runFor(500 + cluster.int(3000));
  if (kind === 'duel') duel(cluster, { durable, partitions });
  else if (kind === 'life') live(cluster, { durable, partitions });
  return settle(cluster);
}

function kindOf({ seed, mode }: ScenarioInit): ScenarioKind {
  if ((seed >> 1) % 4 !== 1) return 'life';
  return mode === 'dynamic' && (seed >> 3) % 4 === 0 ? 'twins' : 'duel';
}

function sizeOf(kind: ScenarioKind, seed: number): number {
  if (kind === 'life') return 1 + (Math.abs(seed) % 9);
  return kind === 'duel' ? 3 + ((seed >> 3) % 3) : 2 + 2 * ((seed >> 5) % 2);
}

/** Until all is repaired: each half founds a group of its own (D5), of the same size, in the same term. */
function cutInHalves(cluster: Cluster): void {
  const { nodes } = cluster;
  for (const a of nodes) for (const b of nodes) if (a.index % 2 === 0 && b.index % 2 === 1) cluster.cut(a, b);
}

function live(cluster: Cluster, plan: FaultPlan): void {
  const workload = startWorkload(cluster, { pauseMs: 120, leaders: 0, reads: 0 });
  const clients = cluster.init.sessions ? startSessionClients(cluster) : undefined;
  const rounds = 6 + cluster.int(10);
  for (let round = 0; round < rounds; round += 1) {
    disturb(cluster, plan);
    cluster.runFor(cluster.chance(0.3) ? cluster.int(4000) : cluster.int(700));
  }
  workload.stop();
  clients?.stop();
}

function duel(cluster: Cluster, plan: FaultPlan): void {
  const workload = startWorkload(cluster, { pauseMs: 30, leaders: 0.6, reads: 0.4 });
  const rounds = 6 + cluster.int(6);
  for (let round = 0; round < rounds; round += 1) {
    fightForLeadership(cluster, plan);
    cluster.runFor(100 + cluster.int(900));
  }
  workload.stop();
}

/** All faults over, everybody up: within bounded time one leader, one log, one state. */
function settle(cluster: Cluster): ScenarioResult {
  const { nodes } = cluster;
  const isQuiet = () => agrees(cluster);
  const repair = () => {
    cluster.healAll();
    for (const node of nodes) {
      node.slowSyncs = 1;
      node.failsToSync = false;
      cluster.start(node);
    }
  };
  repair();
  // Who is leaving, stands still or is cut off for a while gets over it.
  cluster.runFor(LAST_FAULT_MS);
  repair();
  for (let round = 0; round < 6; round += 1) {
    runUntilQuiet(cluster);
    if (isQuiet()) break;
    repair();
  }
  if (!isQuiet()) {
    const missing = cluster.network.whatIsMissing?.().join('; ') ?? '';
    throw cluster.checker.fail(nodes[0] as SimNode, `no agreement after quiet ${missing}`);
  }
  if (!servesEverywhere(cluster, SERVE_WITHIN_MS) || !runUntilQuiet(cluster))
    throw cluster.checker.fail(nodes[0] as SimNode, 'a whole group does not serve through every member');
  const { checker } = cluster;
  checker.handleQuiet();
  return {
    acked: cluster.acked,
    forced: checker.forcedEpochs.size,
    lost: checker.lost.size,
    steps: checker.steps,
    digest: [checker.steps, cluster.acked, cluster.scheduled, cluster.nowMs, nodes[0]?.hash].join('/'),
  };
}

/** Looks only now and then: it takes a while to look at all. */
function runUntilQuiet(cluster: Cluster): boolean {
  let lookMs = 0;
  return cluster.runUntil(() => {
    if (cluster.nowMs < lookMs) return false;
    lookMs = cluster.nowMs + 20;
    return agrees(cluster);
  }, QUIET_WITHIN_MS);
}

function agrees(cluster: Cluster): boolean {
  const { nodes } = cluster;
  const leader = cluster.leaders[0];
  if (!leader || cluster.leaders.length !== 1) return false;
  const view = leader.core.log.members;
  if (leader.core.state.leadership?.suspendedSinceMs !== undefined) return false;
  if (cluster.isWitness(leader)) return false;
  // Whoever is listed, and here, counts in the end.
  if (leader.core.log.learners.length > 0) return false;
  for (const node of nodes) {
    const s = node.core.state;
    if (!node.alive || s.stopped || s.leader !== leader.id) return false;
    if (node.applied !== leader.applied || s.log.last !== leader.core.log.last) return false;
    if (node.hash !== leader.hash && !cluster.isWitness(node)) return false;
    if (leader.applied !== leader.core.log.last) return false;
    if (cluster.init.mode !== 'dynamic') continue;
    const wanted = !s.config.observer;
    if (view.some((member) => member.peer === node.id && member.incarnation === s.incarnation) !== wanted)
      return false;
  }
  return (cluster.network.whatIsMissing?.() ?? []).length === 0;
}
