import { deriveGroupId, GroupKey } from '@mosaik/handshake';
import { type Endpoint, SecretKey } from '@mosaik/transport';
import { MemoryNetwork, memoryTransport } from '@mosaik/transport/memory';
import { Alpn, type GroupId, type NetworkId, type PeerId, UniqueId } from '@mosaik/wire';
import type { Logger } from '@mosaik/wire/runtime';
import { seededRng, settle, VirtualClock } from '@mosaik/wire/testing';
import type { BondDownReason } from '../src/bond.ts';
import { type Bond, BondAcceptor, BondManager, type BondManagerInit } from '../src/index.ts';
import { type TestDirectories, TestDirectory } from '../src/testing/index.ts';

export const NETWORK = UniqueId.from<NetworkId>('test-network');
export const KEY = GroupKey.from(new Uint8Array(32).fill(7));
export const GROUP = groupIdOf(KEY);

export function groupIdOf(key: GroupKey): GroupId {
  const name = UniqueId.from<UniqueId>('test');
  return deriveGroupId({
    key,
    consensusDigest: new Uint8Array(32),
    machineSignature: name,
    stateSyncSignature: name,
  });
}

/** A world of nodes on virtual time and a memory network; one seed decides everything. */
export class World {
  readonly clock = new VirtualClock();
  readonly rng = seededRng(1);
  readonly network: MemoryNetwork;
  readonly directories: TestDirectories = new Map();
  readonly nodes: Node[] = [];
  #port = 7000;

  constructor(init: { latencyMs?: number | (() => number); seed?: number; windowBytes?: number } = {}) {
    const { latencyMs = 1, windowBytes } = init;
    this.rng = seededRng(init.seed ?? 1);
    this.network = new MemoryNetwork({
      clock: this.clock,
      rng: seededRng((init.seed ?? 1) + 1000),
      latencyMs: typeof latencyMs === 'number' ? () => latencyMs : latencyMs,
      windowBytes,
    });
  }

  /** A node that knows nobody yet, with a bond manager for the group unless told not to. */
  async node(init: NodeInit = {}): Promise<Node> {
    const secretKey = init.secretKey ?? SecretKey.from(this.rng.bytes(32));
    const port = init.port ?? this.#port++;
    const networkId = init.networkId ?? NETWORK;
    const endpoint = await memoryTransport({ network: this.network }).listen({
      secretKey,
      host: '127.0.0.1',
      port,
      alpns: [Alpn.groups],
    });
    const node = new Node(this, init, secretKey, endpoint, networkId);
    if (init.join !== false) node.join(init);
    this.nodes.push(node);
    return node;
  }

  /** `count` nodes, ordered by peer id, that all know each other. */
  async mesh(count: number, init: NodeInit = {}): Promise<Node[]> {
    const keys = Array.from({ length: count }, () => SecretKey.from(this.rng.bytes(32))).sort((a, b) =>
      a.id < b.id ? -1 : 1,
    );
    const nodes: Node[] = [];
    for (const secretKey of keys) nodes.push(await this.node({ ...init, secretKey }));
    introduce(...nodes);
    return nodes;
  }

  /** Waits until each of `nodes` is bonded with each other one, and nothing is under way. */
  async bonded(...nodes: Node[]): Promise<void> {
    await this.clock.until(() => nodes.every((node) => node.size >= nodes.length - 1), 10_000);
    await this.clock.advance(3000);
  }
}

export interface NodeInit extends Partial<Omit<BondManagerInit, 'acceptor' | 'endpoint' | 'directory'>> {
  secretKey?: SecretKey;
  port?: number;
  networkId?: NetworkId;
  /** Create a manager at once; default true. */
  join?: boolean;
}

export class Node {
  readonly world: World;
  readonly secretKey: SecretKey;
  readonly endpoint: Endpoint;
  readonly directory: TestDirectory;
  readonly acceptor: BondAcceptor;
  readonly events: string[] = [];
  readonly downs: BondDownReason[] = [];
  readonly raft: { peer: PeerId; message: Uint8Array }[] = [];
  readonly logs: string[] = [];
  manager: BondManager | undefined;

  constructor(world: World, init: NodeInit, secretKey: SecretKey, endpoint: Endpoint, networkId: NetworkId) {
    this.world = world;
    this.secretKey = secretKey;
    this.endpoint = endpoint;
    this.directory = new TestDirectory({
      secretKey,
      networkId,
      addresses: endpoint.addresses,
      groups: [init.groupId ?? GROUP],
      directories: world.directories,
    });
    const { clock } = world;
    this.acceptor = new BondAcceptor({
      endpoint,
      networkId,
      directory: this.directory,
      clock,
      logger: this.#logger(),
    });
  }

  get id(): PeerId {
    return this.endpoint.id;
  }

  get address(): string {
    return this.endpoint.addresses[0] ?? '';
  }

  get size(): number {
    return this.manager?.bonds.value.size ?? 0;
  }

  join(init: NodeInit = {}): BondManager {
    const { world, endpoint, directory, acceptor } = this;
    const manager = new BondManager({
      acceptor,
      endpoint,
      directory,
      networkId: init.networkId ?? NETWORK,
      groupId: GROUP,
      groupKey: KEY,
      incarnation: world.rng.u64(),
      heartbeatIntervalMs: 500,
      heartbeatJitterMs: 150,
      maxMissedHeartbeats: 10,
      clock: world.clock,
      rng: world.rng,
      logger: this.#logger(),
      onBondUp: (bond) => this.events.push(`up ${name(bond)}`),
      onBondDown: (bond, reason) => {
        this.downs.push(reason);
        this.events.push(`down ${name(bond)} ${reason.code}`);
      },
      onRaft: (peer, message) => this.raft.push({ peer, message: Uint8Array.from(message) }),
      ...init,
    });
    this.manager ??= manager;
    return manager;
  }

  bond(peer: Node): Bond | undefined {
    return this.manager?.bonds.value.get(peer.id);
  }

  /** The process is gone without a word. */
  crash(notice: 'idle-timeout' | 'at-once' = 'idle-timeout'): void {
    this.world.network.crash(this.address, { notice });
  }

  #logger(): Logger {
    const log = (_: object, message: string) => {
      this.logs.push(message);
    };
    return { debug() {}, info: log, warn: log, error: log };
  }
}

/** Lets every node know the current entry of every other. */
export function introduce(...nodes: Node[]): void {
  for (const a of nodes) for (const b of nodes) if (a !== b) a.directory.feed(b.directory.local.value);
}

export function name(bond: Bond): string {
  return bond.peer.slice(0, 8);
}

export { settle };
