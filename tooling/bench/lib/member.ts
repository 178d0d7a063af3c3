import { join } from 'node:path';
import { consensus, GroupKey, keyValue, Network } from '@mosaik/network';
import { memoryLogStorage } from '@mosaik/raft';
import { fileLogStorage } from '@mosaik/raft/file';
import type { Transport } from '@mosaik/transport';
import { quicTransport } from '@mosaik/transport/quic';
import type { BenchContext, Child, Parent } from './bench.ts';
import { type Latency, type Part, probe, quarters, sequential, throughput } from './load.ts';

/** With its key, a `Put` of so many bytes is a command of 100. */
export const VALUE = new Uint8Array(88).fill(7);
export const keyOf = (i: number) => `key-${1000 + (i % 1000)}`;
const MEMBERS = 3;

export interface MemberStart {
  key: string;
  bootstrap: string[];
  datagramBytes: number;
  consensus: NonNullable<Parameters<typeof consensus>[0]>;
  /** Where the member keeps its log; default: in memory. */
  directory?: string | undefined;
}

interface Introduction {
  id: string;
  address: string | undefined;
}

/** What a member is asked to do, one at a time; it answers with the result. */
export type Order =
  /** Answers once exactly these count, and all others are bonded. */
  | { type: 'full'; ids: string[] }
  | { type: 'leads' }
  | { type: 'sequential'; count: number; what: 'put' | 'get' }
  | { type: 'throughput'; width: number; count: number; what: 'put' | 'get' }
  | { type: 'quarters'; width: number; count: number }
  | { type: 'probe' }
  /** Answers with the share of a core that the process took over so many milliseconds. */
  | { type: 'load'; ms: number };

/** A process with a whole node in it. */
export async function member(parent: Parent): Promise<void> {
  const start = await parent.next<MemberStart>();
  const transport: Transport = {
    listen: (init) => quicTransport.listen({ ...init, loopbackDatagramBytes: start.datagramBytes }),
  };
  const network = await Network.create({
    networkId: 'bench',
    listen: { host: '127.0.0.1' },
    transport,
    discovery: { bootstrap: start.bootstrap },
  });
  process.once('SIGTERM', () => void network.close().then(() => process.exit()));
  parent.send({ id: network.id, address: network.addresses[0] } satisfies Introduction);
  const group = network.groups
    .withKey(GroupKey.from(start.key))
    .withStateMachine(keyValue())
    .withLogStorage(start.directory === undefined ? memoryLogStorage() : fileLogStorage(start.directory))
    .withConsensus(consensus({ bootstrapDelayMs: 500, ...start.consensus }))
    .join();
  const commands = {
    put: (i: number) => group.execute({ type: 'Put', key: keyOf(i), value: VALUE }),
    get: (i: number) => group.query({ type: 'Get', key: keyOf(i) }, { consistency: 'strong' }),
  };
  for (;;) {
    const order = await parent.next<Order>();
    switch (order.type) {
      case 'full':
        await group.when.online();
        // The view changes one member at a time: commits with fewer copies would not be what is claimed.
        while (!sameMembers(group.status.value.members, order.ids)) await group.status.changed();
        await group.when.bonds((bonds) => bonds.size === MEMBERS - 1);
        parent.send(true);
        break;
      case 'leads':
        parent.send(group.isLeader);
        break;
      case 'sequential':
        parent.send(await sequential(commands[order.what], order.count));
        break;
      case 'throughput':
        parent.send(await throughput(commands[order.what], order.width, order.count));
        break;
      case 'quarters':
        parent.send(await quarters(commands.put, order.width, order.count));
        break;
      case 'load': {
        const before = process.cpuUsage();
        const startedMs = performance.now();
        await new Promise<void>((resolve) => setTimeout(resolve, order.ms));
        const { user, system } = process.cpuUsage(before);
        parent.send((user + system) / 1000 / (performance.now() - startedMs));
        break;
      }
      case 'probe': {
        const probing = probe(commands.put);
        await probing.begun;
        parent.send(true);
        parent.send(await probing.since(await parent.next<number>()));
      }
    }
  }
}

function sameMembers(members: readonly string[], ids: readonly string[]): boolean {
  return members.length === ids.length && members.every((peer) => ids.includes(peer));
}

/** Three member processes that form a group. */
export class Members {
  readonly #context: BenchContext;
  readonly #start: Omit<MemberStart, 'bootstrap' | 'key'>;
  readonly #key = Buffer.from(GroupKey.generate().exportBytes()).toString('hex');
  #started = 0;
  #members: { child: Child; id: string; address: string }[] = [];

  private constructor(context: BenchContext, start: Omit<MemberStart, 'bootstrap' | 'key'>) {
    this.#context = context;
    this.#start = start;
  }

  static async start(context: BenchContext, start: Omit<MemberStart, 'bootstrap' | 'key'>): Promise<Members> {
    const members = new Members(context, start);
    for (let i = 0; i < MEMBERS; i += 1) await members.add();
    await members.full();
    return members;
  }

  async add(): Promise<void> {
    const { directory } = this.#start;
    const own = directory === undefined ? undefined : join(directory, `member-${this.#started}`);
    this.#started += 1;
    const child = this.#context.start('member');
    const bootstrap = this.#members.map(({ address }) => address);
    child.send({ ...this.#start, directory: own, key: this.#key, bootstrap } satisfies MemberStart);
    const { id, address = '' } = await child.next<Introduction>();
    this.#members.push({ child, id, address });
  }

  /** Resolves when all three count, and are bonded with each other. */
  async full(): Promise<void> {
    const ids = this.#members.map(({ id }) => id);
    await Promise.all(this.#members.map(({ child }) => ask<boolean>(child, { type: 'full', ids })));
  }

  async leader(): Promise<Child> {
    return (await this.#split()).leader;
  }

  async follower(): Promise<Child> {
    return (await this.#split()).followers[0] as Child;
  }

  /** A process that was ended is forgotten. */
  remove(child: Child): void {
    this.#members = this.#members.filter((other) => other.child !== child);
  }

  /** The share of a core that each takes while nothing is asked of them. */
  load(ms: number): Promise<number[]> {
    return Promise.all(this.#members.map(({ child }) => ask<number>(child, { type: 'load', ms })));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(({ child }) => child.stop()));
  }

  async #split(): Promise<{ leader: Child; followers: Child[] }> {
    const children = this.#members.map(({ child }) => child);
    const leads = await Promise.all(children.map((child) => ask<boolean>(child, { type: 'leads' })));
    const leader = children[leads.indexOf(true)];
    if (!leader) throw new Error('no member leads');
    return { leader, followers: children.filter((child) => child !== leader) };
  }
}

export function askSequential(child: Child, what: 'put' | 'get', count: number): Promise<Latency> {
  return ask(child, { type: 'sequential', what, count });
}

export function askThroughput(
  child: Child,
  what: 'put' | 'get',
  width: number,
  count: number,
): Promise<number> {
  return ask(child, { type: 'throughput', what, width, count });
}

export function askQuarters(child: Child, width: number, count: number): Promise<Part[]> {
  return ask(child, { type: 'quarters', width, count });
}

export function ask<T>(child: Child, order: Order): Promise<T> {
  child.send(order);
  return child.next<T>();
}
