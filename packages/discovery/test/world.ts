import { type Endpoint, SecretKey } from '@mosaik/transport';
import { type MemoryNetwork, memoryTransport } from '@mosaik/transport/memory';
import { Alpn, type NetworkId, type PeerId, UniqueId } from '@mosaik/wire';
import { seededRng, VirtualClock } from '@mosaik/wire/testing';
import { Discovery, type DiscoveryInit } from '../src/index.ts';

export const NETWORK = UniqueId.from<NetworkId>('discovery tests');

/** The key with this number: the same in every run. */
export function testKey(number: number): SecretKey {
  return SecretKey.from(
    Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? number & 255 : i === 1 ? number >> 8 : 7)),
  );
}

export interface Node {
  readonly discovery: Discovery;
  readonly endpoint: Endpoint;
  readonly key: SecretKey;
  readonly id: PeerId;
  readonly address: string;
}

type Nodes<N extends number, T extends Node[] = []> = T['length'] extends N ? T : Nodes<N, [...T, Node]>;

/** Nodes on one memory network and one virtual clock; one seed decides a whole run. */
export class World {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly nodes: Node[] = [];
  readonly #transport;
  readonly #seed: number;

  constructor(options: { seed?: number; latencyMs?: number } = {}) {
    this.#seed = options.seed ?? 1;
    this.#transport = memoryTransport({ clock: this.clock, rng: seededRng(this.#seed) });
    this.network = this.#transport.network;
    this.network.latencyMs = () => options.latencyMs ?? 1;
  }

  async listen(number: number, port = 7000 + number): Promise<{ endpoint: Endpoint; key: SecretKey }> {
    const key = testKey(number);
    const endpoint = await this.#transport.listen({
      secretKey: key,
      host: '127.0.0.1',
      port,
      alpns: Object.values(Alpn),
    });
    return { endpoint, key };
  }

  async node(number: number, init: Partial<DiscoveryInit> = {}): Promise<Node> {
    const { endpoint, key } = await this.listen(number);
    const discovery = await Discovery.start({
      endpoint,
      secretKey: key,
      networkId: NETWORK,
      clock: this.clock,
      rng: seededRng(this.#seed * 1000 + number),
      ...init,
    });
    const node = { discovery, endpoint, key, id: key.id, address: endpoint.addresses[0] ?? '' };
    this.nodes.push(node);
    return node;
  }

  /** That many nodes, each with the one before as its bootstrap address, all known to all. */
  async chain<N extends number>(count: N): Promise<Nodes<N>> {
    const nodes: Node[] = [];
    for (let number = 1; number <= count; number += 1) {
      const before = nodes.at(-1);
      nodes.push(await this.node(number, { bootstrap: before ? [before.address] : [] }));
    }
    await this.clock.until(() => knowsAll(nodes), 2_000);
    return nodes as Nodes<N>;
  }

  /** Runs until `promise` settles. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const outcome = promise.finally(() => {
      done = true;
    });
    outcome.catch(() => undefined);
    await this.clock.until(() => done);
    return outcome;
  }

  async stop(node: Node): Promise<void> {
    await this.settle(node.discovery.close());
    await this.settle(node.endpoint.close());
  }

  /** Gone without a word. */
  crash(node: Node): void {
    this.network.crash(node.address);
  }
}

/** The peers that a node believes to be there, sorted. */
export function known(node: Node): PeerId[] {
  return [...node.discovery.entries()].map(({ entry }) => entry.peerId).sort();
}

export function knowsAll(nodes: readonly Node[]): boolean {
  return nodes.every((node) => {
    const others = nodes.filter((other) => other !== node).map(({ id }) => id);
    const found = new Set(known(node));
    return others.every((id) => found.has(id));
  });
}
