import type { PeerId } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { introduce, type Node, World } from './mesh.ts';

/** One run takes some 50 ms; a failure names its seed: `MOSAIK_SEED=n` runs that one alone. */
const SEEDS = process.env.MOSAIK_SEED
  ? [Number(process.env.MOSAIK_SEED)]
  : Array.from({ length: 40 }, (_, i) => i + 1);
const STEPS = 40;

/** A mesh under random faults: cut and healed ways, severed connections, crashes, restarts, departures, latencies. */
class Simulation {
  readonly world: World;
  readonly rng;
  readonly trace: string[] = [];
  /** By position; undefined while down. */
  nodes: (Node | undefined)[] = [];
  /** Pairs of addresses that cannot bond: a way between them is cut in some direction. */
  readonly #cut = new Set<string>();
  #homes: { node: Node; port: number }[] = [];

  constructor(seed: number) {
    this.rng = seededRng(seed * 7919);
    this.world = new World({ seed, latencyMs: 1 + this.#below(40) });
  }

  async run(count: number): Promise<void> {
    const mesh = await this.world.mesh(count);
    this.nodes = [...mesh];
    this.#homes = mesh.map((node) => ({ node, port: Number(node.address.split(':')[1]) }));
    for (let step = 0; step < STEPS; step += 1) {
      await this.#fault();
      await this.world.clock.advance(this.#below(4) === 0 ? this.#below(8000) : this.#below(300));
      this.checkAlways();
    }
    this.trace.push('quiet');
    introduce(...this.#up());
    await this.#checkQuiet();
    this.world.network.heal();
    this.#cut.clear();
    for (const i of this.nodes.keys()) await this.#restart(i);
    this.trace.push('healed');
    await this.#checkQuiet();
  }

  checkAlways(): void {
    for (const node of this.#up())
      for (const bond of node.manager?.bonds.value ?? []) expect(bond.peer).not.toBe(node.id);
  }

  /** Exactly those who can reach each other are bonded, everyone sees it so, and it stays. */
  async #checkQuiet(): Promise<void> {
    // Past a heartbeat timeout, a dial into a cut that times out, and the longest backoff.
    await this.world.clock.advance(20_000);
    const up = this.#up();
    const bonded = (a: Node, b: Node) => a !== b && !this.#cut.has([a.address, b.address].sort().join());
    for (const node of up) {
      const bonds = node.manager?.bonds.value;
      const others = up.filter((other) => bonded(node, other));
      expect([...(bonds ?? [])].map(({ peer }) => peer)).toEqual(others.map(({ id }) => id).sort());
      for (const other of others) expect(node.bond(other)?.id).toBe(other.bond(node)?.id);
      const seen = up.flatMap((a) =>
        up.flatMap((b) => {
          const visible = a.id < b.id && [a, b].some((end) => end === node || others.includes(end));
          return visible && bonded(a, b) ? [`${a.id},${b.id}`] : [];
        }),
      );
      expect(bonds?.topology.map(({ peers }) => peers.join())).toEqual(seen.sort());
    }
    const events = up.map((node) => node.events.length);
    await this.world.clock.advance(10_000);
    expect(up.map((node) => node.events.length)).toEqual(events);
  }

  /** That each bond carries in both directions: both ends hold the same connection. */
  async checkTraffic(): Promise<void> {
    const up = this.#up();
    for (const node of up) node.raft.length = 0;
    for (const a of up) for (const b of up) if (a !== b) a.manager?.send(b.id, Uint8Array.of(1), 'control');
    await this.world.clock.advance(500);
    for (const node of up) {
      const senders = node.raft.map(({ peer }) => peer).sort();
      expect(senders).toEqual(
        up
          .map(({ id }): PeerId => id)
          .filter((id) => id !== node.id)
          .sort(),
      );
    }
  }

  async #fault(): Promise<void> {
    const { network } = this.world;
    const i = this.#below(this.nodes.length);
    const j = this.#below(this.nodes.length);
    const [a, b] = [this.#homes[i]?.node, this.#homes[j]?.node];
    if (!a || !b) return;
    const kind = this.#below(8);
    this.trace.push(`${this.world.clock.nowMs().toFixed()} ${kind} ${i} ${j}`);
    if (kind === 0 && i !== j) {
      this.#cut.add([a.address, b.address].sort().join());
      network.partition(a.address, b.address, { oneWay: this.#below(2) === 0 });
    } else if (kind === 1) {
      this.#cut.clear();
      network.heal();
    } else if (kind === 2 && i !== j) network.sever(a.address, b.address);
    else if (kind === 3) this.#crash(i);
    else if (kind === 4) await this.#restart(i);
    else if (kind === 5) await this.#depart(i);
    else if (kind === 6) this.nodes[i]?.bond(b)?.close();
    else if (kind === 7) this.#reshapeLatency();
  }

  #crash(i: number): void {
    this.nodes[i]?.crash(this.#below(2) === 0 ? 'at-once' : 'idle-timeout');
    // Its process is gone, and with it its timers.
    void this.nodes[i]?.manager?.close();
    this.nodes[i] = undefined;
  }

  async #depart(i: number): Promise<void> {
    const node = this.nodes[i];
    if (!node) return;
    this.nodes[i] = undefined;
    const left = node.manager?.close({ departing: true });
    await this.world.clock.advance(100);
    await left;
    void node.endpoint.close();
    await this.world.clock.advance(100);
  }

  async #restart(i: number): Promise<void> {
    const home = this.#homes[i];
    if (!home || this.nodes[i]) return;
    const node = await this.world.node({ secretKey: home.node.secretKey, port: home.port });
    const { version } = home.node.directory.local.value.entry;
    node.directory.update({ version: { startMs: version.startMs + 1, updateMs: 1 } });
    this.#homes[i] = { node, port: home.port };
    this.nodes[i] = node;
    introduce(...this.#up());
  }

  #reshapeLatency(): void {
    const [least, spread] = [this.#below(30), 1 + this.#below(100)];
    this.world.network.latencyMs = () => least + this.rng.float() * spread;
  }

  #up(): Node[] {
    return this.nodes.filter((node) => node !== undefined);
  }

  #below(limit: number): number {
    return Math.floor(this.rng.float() * limit);
  }
}

describe('a mesh under random faults', () => {
  it.each(SEEDS)('is whole, and known to be, once things are quiet (seed %i)', async (seed) => {
    const simulation = new Simulation(seed);
    try {
      await simulation.run(2 + (seed % 4));
      await simulation.checkTraffic();
    } catch (error) {
      const replay = `MOSAIK_SEED=${seed} pnpm vitest run packages/bonds/test/simulation.test.ts`;
      throw new Error(`replay: ${replay}\n${simulation.trace.join('\n')}`, { cause: error });
    }
  });
});
