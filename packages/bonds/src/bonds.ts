import type { BondId, PeerId } from '@mosaik/wire';
import type { Bond } from './bond.ts';

/** One bond of the group's mesh: between this node and a peer, or between two others. Peers are in rising order. */
export interface TopologyEdge {
  readonly id: BondId;
  readonly peers: readonly [PeerId, PeerId];
}

/** The bonds of one group at one moment, ordered by peer id. Never changes. */
export class Bonds implements Iterable<Bond> {
  static readonly empty = new Bonds([], () => []);

  readonly #byPeer: ReadonlyMap<PeerId, Bond>;
  readonly #computeTopology: () => readonly TopologyEdge[];
  #topology: readonly TopologyEdge[] | undefined;

  /** `topology` is asked at most once, when somebody looks; it must depend on nothing that changes. */
  constructor(own: Iterable<Bond>, topology: () => readonly TopologyEdge[]) {
    const ordered = [...own].sort((a, b) => (a.peer < b.peer ? -1 : 1));
    this.#byPeer = new Map(ordered.map((bond) => [bond.peer, bond]));
    this.#computeTopology = topology;
  }

  /** Number of own bonds. */
  get size(): number {
    return this.#byPeer.size;
  }

  get(peer: PeerId): Bond | undefined {
    return this.#byPeer.get(peer);
  }

  has(peer: PeerId): boolean {
    return this.#byPeer.has(peer);
  }

  /** Every bond of the group that this node knows of, its own included, ordered by peers. */
  get topology(): readonly TopologyEdge[] {
    this.#topology ??= this.#computeTopology();
    return this.#topology;
  }

  [Symbol.iterator](): IterableIterator<Bond> {
    return this.#byPeer.values();
  }
}
