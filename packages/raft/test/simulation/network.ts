import { type PeerId, RaftMessage } from '@mosaik/wire';
import type { Lane } from '../../src/components.ts';
import type { Cluster } from './cluster.ts';
import type { SimNode } from './sim-node.ts';

interface Link {
  up: boolean;
  generation: number;
  /** Messages are held, not lost, until it is let go or the bond ends. */
  held: boolean;
  queue: (() => void)[];
  lastAt: Map<string, number>;
}

/** How members are connected: bonds come and go, and carry messages. */
export interface Network {
  bonded(a: SimNode, b: SimNode): boolean;
  /** A process started: it looks for the others. */
  handleStart(node: SimNode): void;
  /** A process is about to end, and says goodbye. */
  handleLeave(node: SimNode): void;
  /** A process is gone without a word. */
  handleCrash(node: SimNode): void;
  /** Nothing passes between the two until `heal`. */
  cut(a: SimNode, b: SimNode): void;
  /** Nothing passes from one to the other until `heal`. */
  cutOneWay(from: SimNode, to: SimNode): void;
  heal(a: SimNode, b: SimNode): void;
  /** Nothing passes for a while; the bond survives, or not. */
  stall(a: SimNode, b: SimNode, forMs: number): void;
  /** Nothing passes from one to the other for a while; then all that was sent does. */
  hold(from: SimNode, to: SimNode, forMs: number): void;
  /** The connection breaks and is made again soon. */
  reset(a: SimNode, b: SimNode): void;
  send(from: SimNode, to: PeerId, message: RaftMessage, lane: Lane): void;
  /** What is not as it should be, now that everybody runs and nothing is cut. */
  whatIsMissing?(): string[];
}

/** The simplest network: bonds that both ends see alike. They carry messages with delays, break, are cut, and are dialled again. */
export class SimNetwork implements Network {
  readonly #cluster: Cluster;
  readonly #links = new Map<string, Link>();
  readonly #cut = new Set<string>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  bonded(a: SimNode, b: SimNode): boolean {
    return this.#link(a, b).up;
  }

  handleStart(node: SimNode): void {
    for (const peer of this.#cluster.nodes) if (peer !== node) this.#dial(node, peer);
  }

  handleLeave(node: SimNode): void {
    for (const peer of this.#cluster.nodes) {
      if (peer !== node && this.bonded(node, peer)) this.#bondDown(node, peer, true);
    }
  }

  /** What one end does not hear ends the bond for both. */
  cutOneWay(from: SimNode, to: SimNode): void {
    this.cut(from, to);
  }

  /** Cuts the pair: what is under way is lost. */
  cut(a: SimNode, b: SimNode): void {
    this.#cut.add(pair(a, b));
    const link = this.#link(a, b);
    if (!link.up) return;
    this.#dropMessages(link);
    this.#bondDown(a, b, false);
  }

  heal(a: SimNode, b: SimNode): void {
    if (this.#cut.delete(pair(a, b))) this.#dial(a, b);
  }

  stall(a: SimNode, b: SimNode, forMs: number): void {
    const link = this.#link(a, b);
    if (!link.up || link.held) return;
    link.held = true;
    const { generation } = link;
    this.#cluster.after(forMs, () => {
      link.held = false;
      const queue = link.queue.splice(0);
      if (link.generation === generation) for (const run of queue) run();
    });
  }

  /** What one end does not hear the other does not either. */
  hold(from: SimNode, to: SimNode, forMs: number): void {
    this.stall(from, to, forMs);
  }

  reset(a: SimNode, b: SimNode): void {
    const link = this.#link(a, b);
    if (!link.up) return;
    this.#dropMessages(link);
    this.#bondDown(a, b, false);
    this.#dial(a, b);
  }

  /** All bonds of a process that is gone: noticed at once (the connection was reset) or by missed heartbeats. */
  handleCrash(node: SimNode): void {
    for (const peer of this.#cluster.nodes) {
      if (peer === node) continue;
      const link = this.#link(node, peer);
      if (!link.up) continue;
      const detectMs = this.#cluster.chance(0.5) ? this.#cluster.int(20) : 1000 + this.#cluster.int(300);
      const { generation } = link;
      this.#dropMessages(link);
      this.#cluster.after(detectMs, () => {
        if (link.up && link.generation === generation) this.#bondDown(node, peer, false);
      });
    }
  }

  #dial(a: SimNode, b: SimNode): void {
    const cluster = this.#cluster;
    const lives = [a.life, b.life];
    const attempt = () => {
      const link = this.#link(a, b);
      if (!a.alive || !b.alive || a.life !== lives[0] || b.life !== lives[1]) return;
      if (this.#cut.has(pair(a, b)) || (link.up && knows(a, b) && knows(b, a))) return;
      if (link.up) this.#bondDown(a, b, false);
      link.up = true;
      link.generation += 1;
      link.held = false;
      link.queue.length = 0;
      link.lastAt.clear();
      cluster.input(a, { type: 'bond-up', peer: b.id, incarnation: b.bootIncarnation });
      cluster.input(b, { type: 'bond-up', peer: a.id, incarnation: a.bootIncarnation });
    };
    cluster.after(cluster.rng.float() * (cluster.chance(0.2) ? 1500 : 80), attempt);
  }

  #bondDown(a: SimNode, b: SimNode, departed: boolean): void {
    const link = this.#link(a, b);
    if (!link.up) return;
    link.up = false;
    link.generation += 1;
    // Each end learns in its own time; a new bond makes the old one's end known first.
    this.#cluster.input(b, { type: 'bond-down', peer: a.id, departed });
    this.#cluster.input(a, { type: 'bond-down', peer: b.id, departed: false });
  }

  send(from: SimNode, toId: PeerId, message: RaftMessage, lane: Lane): void {
    const cluster = this.#cluster;
    const to = cluster.nodes.find((node) => node.id === toId);
    if (!to) return;
    const link = this.#link(from, to);
    if (!link.up || !from.core.state.peers.has(toId)) {
      from.core.handle({ type: 'unsent', to: toId, lane }, cluster.localMs(from));
      return;
    }
    cluster.checker.handleSend(from, to, message);
    // Some go over the wire format; all would cost most of the run.
    const carried = cluster.scheduled % 4 === 0 ? RaftMessage.decode(RaftMessage.encode(message)) : message;
    const { generation } = link;
    const { maxDelayMs = 20 } = cluster.init;
    const direction = `${from.index}>${to.index}:${lane}`;
    const slow = cluster.chance(0.02) ? 10 : 1;
    const wanted = cluster.nowMs + 0.05 + cluster.rng.float() * maxDelayMs * slow;
    // Each lane keeps its order; the two overtake each other.
    const atMs = Math.max(wanted, link.lastAt.get(direction) ?? 0);
    link.lastAt.set(direction, atMs);
    const deliver = () => {
      if (!link.up || link.generation !== generation || !to.alive) return;
      if (link.held) {
        link.queue.push(deliver);
        return;
      }
      cluster.input(to, { type: 'message', from: from.id, message: carried });
    };
    cluster.after(atMs - cluster.nowMs, deliver);
  }

  #dropMessages(link: Link): void {
    link.queue.length = 0;
    link.held = true;
    const { generation } = link;
    this.#cluster.after(0, () => {
      if (link.generation === generation) return;
      link.held = false;
    });
  }

  #link(a: SimNode, b: SimNode): Link {
    const key = pair(a, b);
    let link = this.#links.get(key);
    if (!link) {
      link = { up: false, generation: 0, held: false, queue: [], lastAt: new Map() };
      this.#links.set(key, link);
    }
    return link;
  }
}

function knows(a: SimNode, b: SimNode): boolean {
  return a.core.state.peers.has(b.id);
}

function pair(a: SimNode, b: SimNode): string {
  return a.index < b.index ? `${a.index}-${b.index}` : `${b.index}-${a.index}`;
}
