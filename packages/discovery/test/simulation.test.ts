import type { PeerId } from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { memoryPeerBook } from '../src/testing/index.ts';
import { known, knowsAll, type Node, World } from './world.ts';

const NODES = 6;
const STEPS = 40;
/** The memory transport notices a lost peer after 30 s; a dial takes 3 s and comes after 5 s at most. */
const QUIET_MS = 60_000;

function below(rng: Rng, limit: number): number {
  return Math.floor(rng.float() * limit);
}

function pick<T>(rng: Rng, list: readonly T[]): T {
  const item = list[below(rng, list.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** Crashes, departures, restarts and cuts at random; then quiet. Returns what happened, for comparison. */
async function run(seed: number): Promise<string[]> {
  const rng = seededRng(seed);
  const world = new World({ seed });
  world.network.latencyMs = () => 1 + below(rng, 20);
  const books = Array.from({ length: NODES + 1 }, () => memoryPeerBook());
  const running = new Map<number, Node>();
  const trace: string[] = [];
  const highest = new Map<string, number>();

  const start = async (number: number) => {
    const peerBook = books[number];
    // The first two are everybody's bootstrap addresses.
    const node = await world.node(number, { bootstrap: ['127.0.0.1:7001', '127.0.0.1:7002'], peerBook });
    running.set(number, node);
    node.discovery.subscribe(({ entry }) => {
      const { startMs, updateMs } = entry.version;
      trace.push(
        `${world.clock.nowMs()} ${number} ${entry.peerId.slice(0, 4)} ${updateMs} ${entry.departed}`,
      );
      const key = `${node.address} ${node.discovery.local.value.entry.version.startMs} ${entry.peerId} ${startMs}`;
      expect(updateMs).toBeGreaterThan(highest.get(key) ?? -1);
      highest.set(key, updateMs);
    });
  };

  for (let number = 1; number <= NODES; number += 1) await start(number);
  for (let i = 0; i < STEPS; i += 1) {
    const number = 1 + below(rng, NODES);
    const node = running.get(number);
    const other = 1 + below(rng, NODES);
    const action = pick(rng, ['crash', 'stop', 'cut', 'heal', 'sever', 'tag', 'wait']);
    if (!node) await start(number);
    else if (action === 'crash' || action === 'stop') {
      running.delete(number);
      if (action === 'crash') {
        world.crash(node);
        await world.settle(node.discovery.close());
      } else await world.stop(node);
    } else if (action === 'cut') world.network.partition(node.address, `127.0.0.1:${7000 + other}`);
    else if (action === 'heal') world.network.heal();
    else if (action === 'sever') world.network.sever(node.address, `127.0.0.1:${7000 + other}`);
    else if (action === 'tag') node.discovery.addTags([`tag ${below(rng, 9)}`]);
    await world.clock.advance(below(rng, 20_000));
  }
  world.network.heal();
  for (let number = 1; number <= NODES; number += 1) if (!running.has(number)) await start(number);
  const nodes = [...running.values()];
  await world.clock.until(() => knowsAll(nodes), QUIET_MS);
  await world.clock.advance(QUIET_MS);
  const tagsSeen = (node: Node, id: PeerId) => node.discovery.entry(id)?.entry.tags;
  for (const node of nodes) {
    expect(known(node)).toHaveLength(NODES - 1);
    for (const other of nodes) {
      if (other !== node) expect(tagsSeen(node, other.id)).toEqual(other.discovery.local.value.entry.tags);
    }
  }
  for (const node of nodes) await world.stop(node);
  return trace;
}

describe('a network with crashes, departures, restarts, cuts and lost connections', () => {
  const first = Number(process.env.DISCOVERY_SEED ?? 1);
  const runs = Number(process.env.DISCOVERY_RUNS ?? 3);

  it.each(Array.from({ length: runs }, (_, i) => first + i))(
    'ends with everybody knowing everybody as they are (replay: DISCOVERY_SEED=%i DISCOVERY_RUNS=1)',
    async (seed) => {
      expect((await run(seed)).length).toBeGreaterThan(0);
    },
  );

  it('depends on nothing but its seed', async () => {
    expect(await run(first)).toEqual(await run(first));
  });
});
