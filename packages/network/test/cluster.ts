import {
  type Group,
  GroupKey,
  type KeyValueCommand,
  type KeyValueOutput,
  type KeyValueQuery,
  type KeyValueResult,
  keyValue,
  type MachineGroupBuilder,
} from '@mosaik/groups';
import { Network, type NetworkInit } from '@mosaik/network';
import { SecretKey } from '@mosaik/transport';
import { MemoryNetwork, memoryTransport } from '@mosaik/transport/memory';
import type { Rng } from '@mosaik/wire/runtime';
import { seededRng, VirtualClock } from '@mosaik/wire/testing';

export type KvGroup = Group<KeyValueCommand, KeyValueQuery, KeyValueResult, KeyValueOutput>;
export type KvBuilder = MachineGroupBuilder<KeyValueCommand, KeyValueQuery, KeyValueResult, KeyValueOutput>;

/**
 * Whole nodes — discovery, bonds, Raft, groups — in one process on virtual time and the memory transport: what runs
 * here is what runs over QUIC, minus the sockets.
 */
export class Cluster {
  readonly clock = new VirtualClock();
  readonly memory: MemoryNetwork;
  readonly nodes: Network[] = [];
  readonly #rng: Rng;

  constructor(seed = 1) {
    this.#rng = seededRng(seed);
    this.memory = new MemoryNetwork({ clock: this.clock, rng: this.#rng, latencyMs: () => 1 });
  }

  /** A node that knows the first one's address. */
  async start(init: Partial<NetworkInit> = {}): Promise<Network> {
    const first = this.nodes[0]?.addresses[0];
    const starting = Network.create({
      networkId: 'test',
      secretKey: SecretKey.from(this.#rng.bytes(32)),
      listen: { host: '127.0.0.1' },
      transport: memoryTransport({ network: this.memory }),
      discovery: { bootstrap: first ? [first] : [] },
      clock: this.clock,
      rng: seededRng(this.#rng.u64()),
      ...init,
    });
    const node = await this.settled(starting);
    this.nodes.push(node);
    return node;
  }

  async startMany(count: number): Promise<Network[]> {
    for (let i = 0; i < count; i += 1) await this.start();
    return this.nodes;
  }

  /** Lets virtual time pass until the promise settles; its result or rejection. */
  async settled<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let done = false;
    const finish = () => {
      done = true;
    };
    promise.then(finish, finish);
    await this.clock.until(() => done, limitMs);
    return promise;
  }

  until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    return this.clock.until(condition, limitMs);
  }

  async close(): Promise<void> {
    await this.settled(Promise.all(this.nodes.map((node) => node.close())));
  }

  /** A key-value group of all nodes, online everywhere. */
  async joinKeyValue(
    key = GroupKey.generate(),
    configure: (builder: KvBuilder) => KvBuilder = (b) => b,
  ): Promise<KvGroup[]> {
    const groups = this.nodes.map((node) =>
      configure(node.groups.withKey(key).withStateMachine(keyValue())).join(),
    );
    await this.online(groups);
    return groups;
  }

  /** Every member has its session: from now on nothing is appended that nobody asked for. */
  async quiet(groups: readonly KvGroup[]): Promise<void> {
    await this.settled(Promise.all(groups.map((group, i) => group.execute(put(`quiet-${i}`, '')))));
    await this.until(() => new Set(groups.map((group) => group.committed)).size === 1);
  }

  /** One leader, followed by all, everyone bonded with everyone, and nothing left to commit. */
  async online(groups: readonly KvGroup[]): Promise<void> {
    await this.until(
      () =>
        groups.every((group) => group.online && group.bonds.size === groups.length - 1) &&
        new Set(groups.map((group) => group.leader)).size === 1 &&
        new Set(groups.map((group) => group.committed)).size === 1,
    );
  }
}

export const put = (key: string, value: string, expected?: number): KeyValueCommand => ({
  type: 'Put',
  key,
  value: new TextEncoder().encode(value),
  ...(expected === undefined ? {} : { expected }),
});

export const read = async (
  group: KvGroup,
  key: string,
  consistency: 'weak' | 'strong',
  minIndex?: number,
): Promise<string | undefined> => {
  const { result } = await group.query(
    { type: 'Get', key },
    { consistency, ...(minIndex === undefined ? {} : { minIndex }) },
  );
  if (result.type !== 'Entry') throw new Error(`unexpected answer ${result.type}`);
  return result.value && new TextDecoder().decode(result.value.value);
};

export const leaderOf = (groups: readonly KvGroup[]): KvGroup => {
  const leader = groups.find((group) => group.isLeader);
  if (!leader) throw new Error('no leader');
  return leader;
};

export const followersOf = (groups: readonly KvGroup[]): KvGroup[] =>
  groups.filter((group) => !group.isLeader);
