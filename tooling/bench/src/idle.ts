import { type Bench, type BenchContext, median } from '../lib/bench.ts';
import { Members, member } from '../lib/member.ts';

/** V8 collects what starting left behind eight seconds after it was last busy. */
const SETTLE_MS = 15_000;
const OBSERVE_MS = 15_000;

async function run(context: BenchContext): Promise<void> {
  const members = await Members.start(context, { datagramBytes: 1350, consensus: {} });
  await members.load(SETTLE_MS);
  const shares = await members.load(OBSERVE_MS);
  context.report({ metric: 'idle member p50', value: 100 * median(shares), unit: '% of a core' });
  context.report({ metric: 'idle member, busiest', value: 100 * Math.max(...shares), unit: '% of a core' });
  await members.stop();
}

/** What three member processes cost while nothing happens, with the default timings. */
export const bench: Bench = { name: 'idle', roles: { member }, run };
