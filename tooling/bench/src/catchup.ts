import { consensus, GroupKey, keyValue, Network } from '@mosaik/network';
import type { Bench, BenchContext, Child, Parent } from '../lib/bench.ts';

const MEMBERS = 3;
const RUN = 1000;
/** Entries that the late member lacks; `CATCHUP_ENTRIES` sets another number. */
const ENTRIES = Number(process.env.CATCHUP_ENTRIES ?? 1_000_000);
/** So the log is kept whole. */
const NEVER = { snapshotAfterEntries: 2 ** 40, snapshotAfterBytes: 2 ** 50 };

interface Start {
  key: string;
  bootstrap: string[];
  /** Comes late: measures how long it takes to have so many entries. */
  target?: number | undefined;
}

interface Result {
  perSecond: number;
  /** Largest resident memory of the process. */
  rssBytes: number;
}

async function member(parent: Parent): Promise<void> {
  const { key, bootstrap, target } = await parent.next<Start>();
  const network = await Network.create({
    networkId: 'bench',
    listen: { host: '127.0.0.1' },
    discovery: { bootstrap },
  });
  parent.send(network.addresses[0]);
  const group = network.groups
    .withKey(GroupKey.from(key))
    .withStateMachine(keyValue())
    .withCompaction(NEVER)
    .withConsensus(consensus({ bootstrapDelayMs: 500 }))
    .join();
  if (target !== undefined) {
    await group.when.bonds(MEMBERS);
    const startedMs = performance.now();
    const before = group.committed;
    await group.when.committed().reaches(target);
    const perSecond = ((target - before) * 1000) / (performance.now() - startedMs);
    parent.send({ perSecond, rssBytes: process.resourceUsage().maxRSS * 1024 } satisfies Result);
    return;
  }
  await group.when.online();
  while (group.status.value.members.length < MEMBERS) await group.status.changed();
  parent.send(group.isLeader);
  await parent.next();
  const value = new Uint8Array(8);
  for (let i = 0; i < ENTRIES; i += RUN) {
    const commands = Array.from({ length: RUN }, (_, j) => ({
      type: 'Put' as const,
      key: `key-${(i + j) % 10_000}`,
      value,
    }));
    await group.executeMany(commands);
  }
  parent.send(group.committed);
}

/** Three members hold a log of small entries when a fourth joins them. */
async function run({ report, start }: BenchContext): Promise<void> {
  const key = Buffer.from(GroupKey.generate().exportBytes()).toString('hex');
  const bootstrap: string[] = [];
  const join = async (target?: number): Promise<Child> => {
    const child = start('member');
    child.send({ key, bootstrap, target } satisfies Start);
    bootstrap.push(await child.next<string>());
    return child;
  };
  const children: Child[] = [];
  for (let i = 0; i < MEMBERS; i += 1) children.push(await join());
  const leads = await Promise.all(children.map((child) => child.next<boolean>()));
  const leader = children[leads.indexOf(true)];
  if (!leader) throw new Error('no member leads');
  leader.send('fill');
  const late = await join(await leader.next<number>());
  const { perSecond, rssBytes } = await late.next<Result>();
  report({ metric: `catch up by log throughput, ${ENTRIES} entries behind`, value: perSecond, unit: '/s' });
  report({ metric: 'catch up by log, largest memory', value: rssBytes / 2 ** 20, unit: 'MiB' });
  await Promise.all([late, ...children].map((child) => child.stop()));
}

/** A member that joins three others over QUIC, all of it behind. */
export const bench: Bench = { name: 'catchup', roles: { member }, run };
