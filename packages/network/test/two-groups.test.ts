import { GroupKey } from '@mosaik/groups';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cluster, leaderOf, put } from './cluster.ts';

let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});
afterEach(() => cluster.close());

describe('two groups between the same nodes', () => {
  it('have bonds, leaders and logs of their own', async () => {
    await cluster.startMany(3);
    const red = await cluster.joinKeyValue(GroupKey.generate());
    const blue = await cluster.joinKeyValue(GroupKey.generate());
    await cluster.quiet(blue);
    const before = blue[0]?.committed;
    const { index } = await cluster.settled(leaderOf(red).execute(put('a', '1')));
    await cluster.settled(Promise.all(red.map((group) => group.when.committed().reaches(index))));
    expect(red[0]?.id).not.toBe(blue[0]?.id);
    expect([...(red[0]?.bonds ?? [])].map(({ id }) => id)).not.toEqual(
      [...(blue[0]?.bonds ?? [])].map(({ id }) => id),
    );
    expect(blue[0]?.committed).toBe(before);
  });

  it('do not notice a refused handshake of each other', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    const bonds = groups.flatMap((group) => [...group.bonds]);
    let lost = 0;
    for (const bond of bonds) void bond.closed.then(() => (lost += 1));
    // Joined on one node only: every dial of it is refused with GroupNotFound.
    const lonely = cluster.nodes[0]?.groups.withKey(GroupKey.generate()).join();
    await cluster.settled(lonely?.when.leaderElected() ?? Promise.reject(new Error('no group')));
    await cluster.clock.advance(30_000);
    expect(lost).toBe(0);
    expect(groups.every((group) => group.online)).toBe(true);
    await cluster.settled(leaderOf(groups).execute(put('still', 'here')));
  });
});
