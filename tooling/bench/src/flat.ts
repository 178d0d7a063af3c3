import type { Bench, BenchContext } from '../lib/bench.ts';
import { askQuarters, Members, member } from '../lib/member.ts';

/** `FLAT_COMMANDS` sets another number. */
const COMMANDS = Number(process.env.FLAT_COMMANDS ?? 1_000_000);
const WIDTH = 512;

/** What a command costs the leader must not depend on how many came before: logs are compacted, as they are by default. */
async function run(context: BenchContext): Promise<void> {
  const { report } = context;
  const members = await Members.start(context, { datagramBytes: 1350, consensus: {} });
  const startedMs = performance.now();
  const parts = await askQuarters(await members.leader(), WIDTH, COMMANDS);
  const row = (metric: string, value: number, unit: string) => report({ metric, value, unit });
  for (const [i, { perCommandUs, rssBytes }] of parts.entries()) {
    row(`leader, quarter ${i + 1} of ${COMMANDS}: processor time per command`, perCommandUs, 'µs');
    row(`leader, quarter ${i + 1} of ${COMMANDS}: memory after it`, rssBytes / 2 ** 20, 'MiB');
  }
  row(
    'last quarter ÷ first, processor time',
    (parts.at(-1)?.perCommandUs ?? Number.NaN) / (parts[0]?.perCommandUs ?? Number.NaN),
    '',
  );
  row('time', (performance.now() - startedMs) / 1000, 's');
  await members.stop();
}

/** Processor time per command, by quarter of very many. */
export const bench: Bench = { name: 'flat', roles: { member }, run };
