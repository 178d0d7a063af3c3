import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { consensus, GroupKey, keyValue, Network } from '@mosaik/network';
import type { CompactionOptions } from '@mosaik/raft';
import { quicTransport } from '@mosaik/transport/quic';
import type { Bench, BenchContext, Child, Parent } from '../lib/bench.ts';
import { relay, routedTransport } from '../lib/delayed.ts';

const MEMBERS = 3;
const RUN = 1000;
const RUNS_AT_ONCE = 4;
const KEYS = 100_000;
/** Entries that a late member lacks; `CATCHUP_ENTRIES` sets another number. */
const ENTRIES = Number(process.env.CATCHUP_ENTRIES ?? 1_000_000);
/** There and back. */
const ROUND_TRIP_MS = Number(process.env.CATCHUP_ROUND_TRIP_MS ?? 20);
/** Nobody listens there, so nobody but the late member dials. */
const NOWHERE = '127.0.0.1:9';
/** So the log is kept whole. */
const NEVER: CompactionOptions = { snapshotAfterEntries: 2 ** 40, snapshotAfterBytes: 2 ** 50 };

interface Start {
  key: string;
  bootstrap: string[];
  compaction: CompactionOptions;
}

interface LateStart extends Start {
  /** Where to dial instead of each of `bootstrap`; nobody else is dialled. */
  routes: [string, string][] | undefined;
  /** Measures how long it takes to have so many entries. */
  target: number;
  /** Collects garbage all the time, so that what is in use can be told from what is not collected yet. */
  collects: boolean;
}

interface Result {
  ms: number;
  entries: number;
  /** Largest resident memory of the process. */
  rssBytes: number;
  /** Largest heap after a collection. */
  liveBytes: number;
}

function join(network: Network, { key, compaction }: Start) {
  return network.groups
    .withKey(GroupKey.from(key))
    .withStateMachine(keyValue())
    .withCompaction(compaction)
    .withConsensus(consensus({ bootstrapDelayMs: 500 }))
    .join();
}

async function member(parent: Parent): Promise<void> {
  const start = await parent.next<Start>();
  const network = await Network.create({
    networkId: 'bench',
    listen: { host: '127.0.0.1' },
    discovery: { bootstrap: start.bootstrap },
  });
  parent.send(network.addresses[0]);
  const group = join(network, start);
  await group.when.online();
  while (group.status.value.members.length < MEMBERS) await group.status.changed();
  parent.send(group.isLeader);
  await parent.next();
  const value = new Uint8Array(8);
  let next = 0;
  const fill = async () => {
    while (next < ENTRIES) {
      const i = next;
      next += RUN;
      await group.executeMany(
        Array.from({ length: RUN }, (_, j) => ({
          type: 'Put' as const,
          key: `key-${(i + j) % KEYS}`,
          value,
        })),
      );
    }
  };
  await Promise.all(Array.from({ length: RUNS_AT_ONCE }, fill));
  parent.send(group.committed);
}

async function late(parent: Parent): Promise<void> {
  const start = await parent.next<LateStart>();
  const { bootstrap, routes, target, collects } = start;
  const network = await Network.create({
    networkId: 'bench',
    listen: { host: '127.0.0.1' },
    discovery: { bootstrap },
    ...(routes && { advertise: [NOWHERE], transport: routedTransport(quicTransport, new Map(routes)) }),
  });
  const group = join(network, start);
  await group.when.bonds(bootstrap.length);
  let liveBytes = 0;
  if (collects) {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    setInterval(() => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      liveBytes = Math.max(liveBytes, heapUsed + arrayBuffers);
    }, 500).unref();
  }
  const startedMs = performance.now();
  const before = group.committed;
  await group.when.committed().reaches(target);
  parent.send({
    ms: performance.now() - startedMs,
    entries: target - before,
    rssBytes: process.resourceUsage().maxRSS * 1024,
    liveBytes,
  } satisfies Result);
  await parent.next();
  await network.close();
  parent.send(true);
}

/** Three members with a log of small entries, and members that come late. */
class Group {
  readonly #context: BenchContext;
  readonly #key: string;
  readonly #addresses: readonly string[];
  readonly #children: readonly Child[];
  readonly #leader: number;
  readonly #target: number;

  private constructor(
    context: BenchContext,
    key: string,
    children: readonly Child[],
    addresses: readonly string[],
    leader: number,
    target: number,
  ) {
    this.#context = context;
    this.#key = key;
    this.#children = children;
    this.#addresses = addresses;
    this.#leader = leader;
    this.#target = target;
  }

  static async filled(context: BenchContext, compaction: CompactionOptions): Promise<Group> {
    const key = Buffer.from(GroupKey.generate().exportBytes()).toString('hex');
    const children: Child[] = [];
    const addresses: string[] = [];
    for (let i = 0; i < MEMBERS; i += 1) {
      const child = context.start('member');
      child.send({ key, bootstrap: addresses, compaction } satisfies Start);
      addresses.push(await child.next<string>());
      children.push(child);
    }
    const leader = (await Promise.all(children.map((child) => child.next<boolean>()))).indexOf(true);
    const child = children[leader];
    if (!child) throw new Error('no member leads');
    child.send('fill');
    return new Group(context, key, children, addresses, leader, await child.next<number>());
  }

  /** One comes late, all of it behind, and leaves again. */
  async catchUp(
    compaction: CompactionOptions,
    { network, collects = false }: CatchUpOptions = {},
  ): Promise<Result> {
    const bootstrap = this.#addresses.filter((_, i) => network?.sources !== 'leader' || i === this.#leader);
    const relays: Child[] = [];
    let routes: [string, string][] | undefined;
    if (network) {
      routes = [];
      for (const address of bootstrap) {
        const child = this.#context.start('relay');
        child.send({ address, delayMs: network.roundTripMs / 2 });
        routes.push([address, await child.next<string>()]);
        relays.push(child);
      }
    }
    const child = this.#context.start('late');
    child.send({
      key: this.#key,
      bootstrap,
      compaction,
      routes,
      target: this.#target,
      collects,
    } satisfies LateStart);
    const result = await child.next<Result>();
    child.send('leave');
    await child.next();
    await Promise.all([child, ...relays].map((process) => process.stop()));
    return result;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }
}

interface CatchUpOptions {
  network?: { sources: 'leader' | 'all'; roundTripMs: number };
  collects?: boolean;
}

const perSecond = ({ entries, ms }: Result) => (entries * 1000) / ms;

async function run(context: BenchContext): Promise<void> {
  const row = (metric: string, value: number, unit: string) => context.report({ metric, value, unit });
  const memory = (metric: string, bytes: number) => row(metric, bytes / 2 ** 20, 'MiB');
  const whole = await Group.filled(context, NEVER);
  const kept = await whole.catchUp(NEVER);
  row(`catch up by log throughput, ${ENTRIES} entries behind`, perSecond(kept), '/s');
  memory('catch up by log, largest memory', kept.rssBytes);
  memory('catch up by log, largest memory, compacting', (await whole.catchUp({})).rssBytes);
  const { liveBytes } = await whole.catchUp({}, { collects: true });
  memory('catch up by log, largest live heap, compacting', liveBytes);
  const roundTripMs = ROUND_TRIP_MS;
  const one = perSecond(await whole.catchUp({}, { network: { sources: 'leader', roundTripMs } }));
  const three = perSecond(await whole.catchUp({}, { network: { sources: 'all', roundTripMs } }));
  context.report({
    metric: `catch up by log, three sources, ${roundTripMs} ms to each`,
    value: three,
    unit: '/s',
    peer: 'one source',
    ratio: three / one,
    peerValue: one,
  });
  await whole.stop();
  const compacted = await Group.filled(context, {});
  const snapshot = await compacted.catchUp({});
  row(`catch up by snapshot throughput, ${ENTRIES} entries behind`, perSecond(snapshot), '/s');
  row('catch up by snapshot, time', snapshot.ms, 'ms');
  memory('catch up by snapshot, largest memory', snapshot.rssBytes);
  await compacted.stop();
}

/** Members that join three others over QUIC, all of it behind. */
export const bench: Bench = { name: 'catchup', roles: { member, late, relay }, run };
