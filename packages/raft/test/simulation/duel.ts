import type { Cluster, SimNode } from './cluster.ts';
import {
  changeVoters,
  crash,
  type Fault,
  type FaultKind,
  type FaultPlan,
  pause,
  pickOther,
} from './faults.ts';

/**
 * What makes one leader follow the other while the one before does not know it, or hears late what is over: where rules
 * about terms, rounds and openings matter. All of it is short, so that there is much of it in a run.
 */
const MOVES: readonly FaultKind[] = [
  { weight: 4, run: overtake },
  { weight: 3, run: answerLate },
  { weight: 2, run: isolate },
  { weight: 2, run: crash },
  { weight: 1, run: pause },
  { weight: 2, run: leaveBehind },
  { weight: 1, run: slowDown },
  { weight: 1, voters: true, run: changeVoters },
  { weight: 4, voters: true, forgets: true, run: removeAfterLoss },
];

/** One move against somebody who leads; where nobody does, whoever is down is started. */
export function fightForLeadership(cluster: Cluster, plan: FaultPlan): void {
  const { leaders, nodes } = cluster;
  const victim = leaders[cluster.int(leaders.length)];
  if (!victim) {
    for (const node of nodes) cluster.start(node);
    return;
  }
  const possible = MOVES.filter(
    ({ voters, forgets }) => (!voters || cluster.init.mode === 'voters') && (!forgets || !plan.durable),
  );
  cluster.weighted(possible).run({ ...plan, cluster, victim });
}

/** Another one takes over, which is soon done, and the leader hears of nothing meanwhile. */
function overtake({ cluster, victim }: Fault): void {
  cluster.request(victim, { type: 'Transfer', to: pickOther(cluster, victim).id });
  const forMs = 50 + cluster.int(500);
  cluster.after(cluster.int(60), () => {
    for (const node of othersThan(cluster, victim)) cluster.hold(node, victim, forMs);
  });
}

/** Nobody hears the leader any more, and it hears what they answered before later than it should. */
function answerLate({ cluster, victim }: Fault): void {
  const outMs = 600 + cluster.int(900);
  for (const node of othersThan(cluster, victim)) {
    cluster.hold(victim, node, outMs);
    cluster.hold(node, victim, 100 + cluster.int(400));
  }
}

/** The leader alone, or with one more. */
function isolate({ cluster, victim }: Fault): void {
  const companion = cluster.chance(0.4) ? pickOther(cluster, victim) : victim;
  const forMs = 500 + cluster.int(1000);
  for (const inside of new Set([victim, companion])) {
    for (const outside of cluster.nodes) {
      if (outside === victim || outside === companion) continue;
      cluster.hold(inside, outside, forMs);
      cluster.hold(outside, inside, forMs);
    }
  }
}

/** Somebody misses the last entries, and then the leader goes. */
function leaveBehind(fault: Fault): void {
  const { cluster, victim } = fault;
  cluster.hold(victim, pickOther(cluster, victim), 100 + cluster.int(600));
  cluster.after(50 + cluster.int(300), () => {
    if (victim.alive) crash(fault);
  });
}

/** A voter loses its log, and before anybody knows another one is to be removed. */
function removeAfterLoss(fault: Fault): void {
  const { cluster, victim } = fault;
  const lost = pickOther(cluster, victim);
  crash({ ...fault, victim: lost });
  const removed = cluster.nodes.find((node) => node !== victim && node !== lost);
  if (!lost.alive && removed) cluster.request(victim, { type: 'RemoveVoter', peer: removed.id });
}

function slowDown({ cluster }: Fault): void {
  for (const node of cluster.nodes) {
    node.slowSyncs = 10;
    cluster.after(500, () => {
      node.slowSyncs = 1;
    });
  }
}

function othersThan(cluster: Cluster, node: SimNode): SimNode[] {
  return cluster.nodes.filter((other) => other !== node);
}
