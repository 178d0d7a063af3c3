import type { Cluster } from './cluster.ts';
import type { SimNode } from './sim-node.ts';

const ENCODER = new TextEncoder();
const LONGEST_PAUSE_MS = 120;
/** Of what was sent through one member, and may be sent again. */
const REMEMBERED = 6;

/** A command of a session, as it was sent first. */
interface Sent {
  readonly session: number;
  readonly sequence: number;
  readonly ackedBelow: number;
}

/**
 * Clients that have sessions, and commands which are to be applied once (CONSENSUS.md, "Exactly once"): they send theirs
 * again, to whoever leads by then, and begin new sessions while commands of the one before are still on their way, or are
 * sent once more.
 */
export function startSessionClients(cluster: Cluster): { stop(): void } {
  const sent = new Map<SimNode, Sent[]>();
  const lives = new Map<SimNode, bigint>();
  let life = 0n;
  let stopped = false;

  const open = (node: SimNode) => {
    life += 1n;
    lives.set(node, life);
    cluster.input(node, { type: 'open-session', number: node.nextCall++, incarnation: life });
  };
  const send = (node: SimNode, { session, sequence, ackedBelow }: Sent) => {
    // No write to a key: those have no session, and an effect wherever they stand.
    const proposals = [[ENCODER.encode(`${node.index}#${sequence}`)]];
    cluster.input(node, {
      type: 'propose',
      batch: { session, first: sequence, ackedBelow, keys: [], proposals },
    });
  };
  const next = () => {
    if (stopped) return;
    const node = cluster.nodes[cluster.int(cluster.nodes.length)] as SimNode;
    if (node.alive) act(node);
    cluster.after(cluster.rng.float() * LONGEST_PAUSE_MS, next);
  };
  const act = (node: SimNode) => {
    const before = sent.get(node) ?? [];
    const again = before[cluster.int(REMEMBERED)];
    const session = node.sessions.idOf(node.id, lives.get(node) ?? 0n);
    if (again && cluster.chance(0.5)) {
      send(node, again);
    } else if (session === 0 || cluster.chance(0.1)) {
      open(node);
    } else {
      const sequence = node.nextCall++;
      const fresh = { session, sequence, ackedBelow: Math.max(1, sequence - cluster.int(20)) };
      sent.set(node, [fresh, ...before].slice(0, REMEMBERED));
      send(node, fresh);
    }
  };
  next();
  return {
    stop: () => {
      stopped = true;
    },
  };
}
