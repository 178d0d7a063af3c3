import { deriveBondId, GroupKey } from '@mosaik/handshake';
import type { Cluster, Network, SimNode } from '@mosaik/raft/simulation';
import { type BondId, CloseCode, type GroupId, type NetworkId, type PeerId, RaftMessage } from '@mosaik/wire';
import { type PipeEnd, type PipeOwner, Pipes } from './pipes.ts';
import { SimBonds } from './sim-bonds.ts';
import { SimDiscovery } from './sim-discovery.ts';

const GROUP_KEY = GroupKey.from('5a'.repeat(32));
const GROUP_ID = 'ab'.repeat(32) as GroupId;
const NETWORK_ID = 'cd'.repeat(32) as NetworkId;
const WALL_START_MS = Date.UTC(2030, 0, 1);

export interface MeshOptions {
  readonly maxDelayMs: number;
  readonly loss: number;
  readonly maxMissedHeartbeats: number;
  /** Whose addresses a member is started with: everybody's, or only the next one's. */
  readonly bootstrap: 'all' | 'next';
}

/** One process: its discovery and its bonds. */
interface Life extends PipeOwner {
  readonly node: SimNode;
  readonly discovery: SimDiscovery;
  readonly bonds: SimBonds;
}

/**
 * The members' connections as they are made in earnest: discovery finds who is there, handshakes prove, bonds keep one
 * connection of each pair and notice when it is dead. The cores are the packages' own; pipes stand for QUIC.
 */
export class Mesh implements Network {
  readonly #cluster: Cluster;
  readonly #options: MeshOptions;
  readonly #pipes: Pipes;
  readonly #lives: (Life | undefined)[] = [];
  /** Connections that were closed because another one is there: closed → kept, each by the end that dialled it. */
  readonly #chosen = new Map<PipeEnd, PipeEnd>();

  constructor(cluster: Cluster, options: MeshOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#pipes = new Pipes({ ...options, scheduler: cluster, rng: cluster.rng });
  }

  bonded(a: SimNode, b: SimNode): boolean {
    return this.#lives[a.index]?.bonds.live.has(b.id) ?? false;
  }

  handleStart(node: SimNode): void {
    const cluster = this.#cluster;
    const { life } = node;
    const { index } = node;
    const isAlive = () => node.alive && node.life === life;
    const owner: PipeOwner = {
      index,
      get alive() {
        return isAlive();
      },
      run: (callback) => cluster.whenRunning(node, () => isAlive() && callback()),
    };
    const after = (delayMs: number, run: () => void) => {
      cluster.after(delayMs / node.clockRate, () => owner.run(run));
    };
    const nowMs = () => cluster.localMs(node);
    const dial = (
      kind: 'sync' | 'announce' | 'group',
      address: string,
      done: (end: PipeEnd | undefined) => void,
    ) => {
      const remote = indexOf(address);
      if (remote === index || !(remote in cluster.nodes)) {
        after(1, () => done(undefined));
        return;
      }
      this.#pipes.dial(kind, owner, () => this.#accepting(remote), remote, done);
    };
    const peerAt = (other: number) => cluster.nodes[other]?.id as PeerId;
    const shared = { localId: node.id, networkId: NETWORK_ID, groupId: GROUP_ID, rng: cluster.rng };
    const bootstrap = cluster.nodes.filter((other) =>
      this.#options.bootstrap === 'all'
        ? other !== node
        : other.index === (index + 1) % cluster.nodes.length && other !== node,
    );
    let bonds: SimBonds | undefined;
    const discovery = new SimDiscovery(
      {
        ...shared,
        address: addressOf(index),
        nowMs,
        wallMs: () => WALL_START_MS + cluster.nowMs + node.wallSkewMs,
        after,
        dial,
        peerAt,
        onEntry: (entry) => bonds?.handleEntry(entry),
        onLocalEntry: (entry) => bonds?.handleLocalEntry(entry),
      },
      bootstrap.map((other) => addressOf(other.index)),
    );
    bonds = new SimBonds(
      {
        ...shared,
        groupKey: GROUP_KEY,
        bondIdOf,
        heartbeatIntervalMs: cluster.config.heartbeatIntervalMs,
        heartbeatJitterMs: cluster.config.heartbeatJitterMs,
        maxMissedHeartbeats: this.#options.maxMissedHeartbeats,
        incarnation: () => node.bootIncarnation,
        nowMs,
        after,
        dial: (address, done) => dial('group', address, done),
        peerAt,
        onChosen: (closed, kept) => this.#handleChosen(node, closed, kept),
        onUp: (peer, incarnation) => cluster.input(node, { type: 'bond-up', peer, incarnation }),
        onDown: (peer, departed) => cluster.input(node, { type: 'bond-down', peer, departed }),
        onRaft: (from, message) =>
          cluster.input(node, { type: 'message', from, message: message as RaftMessage }),
      },
      discovery,
    );
    this.#lives[index] = Object.assign(owner, { node, discovery, bonds });
  }

  handleLeave(node: SimNode): void {
    const life = this.#lives[node.index];
    life?.bonds.leave();
    life?.discovery.leave();
  }

  handleCrash(node: SimNode): void {
    const life = this.#lives[node.index];
    if (!life) return;
    this.#lives[node.index] = undefined;
    const noticed = this.#cluster.chance(0.5) ? 20 : undefined;
    this.#pipes.handleCrash(life, noticed, CloseCode.UnexpectedClose);
  }

  cut(a: SimNode, b: SimNode): void {
    this.#pipes.block(a.index, b.index);
    this.#pipes.block(b.index, a.index);
    // Sometimes both ends hear of it: a router said so.
    if (this.#cluster.chance(0.5)) this.#pipes.sever(a.index, b.index, 50, CloseCode.UnexpectedClose);
  }

  cutOneWay(from: SimNode, to: SimNode): void {
    this.#pipes.block(from.index, to.index);
  }

  heal(a: SimNode, b: SimNode): void {
    this.#pipes.unblock(a.index, b.index);
    this.#pipes.unblock(b.index, a.index);
  }

  stall(a: SimNode, b: SimNode, forMs: number): void {
    this.#pipes.block(a.index, b.index, forMs);
    if (this.#cluster.chance(0.7)) this.#pipes.block(b.index, a.index, forMs);
  }

  hold(from: SimNode, to: SimNode, forMs: number): void {
    this.#pipes.block(from.index, to.index, forMs);
  }

  reset(a: SimNode, b: SimNode): void {
    this.#pipes.sever(a.index, b.index, this.#cluster.chance(0.7) ? 20 : 1500, CloseCode.UnexpectedClose);
  }

  send(from: SimNode, toId: PeerId, message: RaftMessage, lane: 'control' | 'bulk'): void {
    const cluster = this.#cluster;
    const to = cluster.nodes.find((node) => node.id === toId);
    if (!to) return;
    // Some go over the wire format; all would cost most of the run.
    const carried = cluster.scheduled % 8 === 0 ? RaftMessage.decode(RaftMessage.encode(message)) : message;
    if (this.#lives[from.index]?.bonds.send(toId, carried, lane))
      cluster.checker.handleSend(from, to, message);
    else from.core.handle({ type: 'unsent', to: toId, lane }, cluster.localMs(from));
  }

  /** What does not hold of the mesh once all is quiet. */
  whatIsMissing(): string[] {
    const missing: string[] = [];
    const lives = this.#lives.filter((life) => life !== undefined);
    const edges = (lives.length * (lives.length - 1)) / 2;
    for (const { index, bonds } of lives) {
      if (bonds.live.size !== lives.length - 1)
        missing.push(`n${index} has ${bonds.live.size} bonds, ${lives.length - 1} others run`);
      const known = bonds.edges();
      if (known.length === edges) continue;
      const names = known.map((edge) => edge.map((id) => this.#nameOf(id)).join('-'));
      missing.push(`n${index} knows ${known.length} bonds of ${edges}: ${names.join(' ')}`);
    }
    return missing;
  }

  /** Dials that crossed leave one connection: if each end kept another one there would be none. */
  #handleChosen(node: SimNode, closed: PipeEnd, kept: PipeEnd): void {
    const [one, other] = [dialledEnd(closed), dialledEnd(kept)];
    if (this.#chosen.get(other) === one)
      throw this.#cluster.checker.fail(node, 'of two dials that crossed each end keeps another one');
    this.#chosen.set(one, other);
  }

  #nameOf(id: PeerId): string {
    return `n${this.#cluster.nodes.findIndex((node) => node.id === id)}`;
  }

  #accepting(index: number): { owner: PipeOwner; accept: (end: PipeEnd) => void } | undefined {
    const life = this.#lives[index];
    if (!life?.alive) return undefined;
    return {
      owner: life,
      accept: (end) => {
        if (end.kind === 'group') life.bonds.accept(end);
        else life.discovery.accept(end);
      },
    };
  }
}

/** All runs have the same key and the same names, so each is derived once. */
const bondIds = new Map<string, BondId>();

function bondIdOf(a: PeerId, b: PeerId): BondId {
  const key = a < b ? a + b : b + a;
  let id = bondIds.get(key);
  if (id === undefined) {
    id = deriveBondId(GROUP_KEY, a, b);
    bondIds.set(key, id);
  }
  return id;
}

function dialledEnd(end: PipeEnd): PipeEnd {
  return end.initiator ? end : end.peer;
}

function addressOf(index: number): string {
  return `n${index}:1`;
}

function indexOf(address: string): number {
  return Number(/^n(\d+):/.exec(address)?.[1] ?? -1);
}
