import { type GroupId, UniqueId } from '@mosaik/wire';
import { describe, expect, it } from 'vitest';
import { knowsAll, World } from './world.ts';

describe('first contact', () => {
  it('makes three nodes with one bootstrap address know each other within 100 ms of virtual time', async () => {
    const world = new World();
    const a = await world.node(1);
    const b = await world.node(2, { bootstrap: [a.address] });
    const c = await world.node(3, { bootstrap: [`${a.id}@${a.address}`] });
    const startMs = world.clock.nowMs();
    await world.clock.until(() => knowsAll([a, b, c]), 100);
    expect(world.clock.nowMs() - startMs).toBeLessThanOrEqual(100);
  });

  it('makes a chain of bootstrap addresses end with everybody knowing everybody', async () => {
    const world = new World({ latencyMs: 5 });
    const nodes = [await world.node(1)];
    for (let i = 2; i <= 12; i += 1) {
      nodes.push(await world.node(i, { bootstrap: [nodes[i - 2]?.address ?? ''] }));
    }
    await world.clock.until(() => knowsAll(nodes), 2_000);
  });

  it('spreads a change of an entry to every node', async () => {
    const world = new World();
    const nodes = [await world.node(1)];
    for (let i = 2; i <= 8; i += 1) {
      nodes.push(await world.node(i, { bootstrap: [nodes[i - 2]?.address ?? ''] }));
    }
    await world.clock.until(() => knowsAll(nodes), 2_000);
    await world.clock.advance(5_000);
    const group = UniqueId.from<GroupId>('a group');
    const [first, ...others] = nodes;
    if (!first) throw new Error('no node');
    first.discovery.addGroup(group);
    await world.clock.until(
      () => others.every((node) => node.discovery.entry(first.id)?.entry.groups.includes(group)),
      100,
    );
  });
});
