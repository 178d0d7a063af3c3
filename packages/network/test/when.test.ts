import { GroupError, GroupKey } from '@mosaik/groups';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cluster, followersOf, leaderOf, put } from './cluster.ts';

let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});
afterEach(() => cluster.close());

describe('when', () => {
  it('tells who was elected, who leads and who follows', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    const leader = leaderOf(groups);
    const id = leader.leader;
    if (!id) throw new Error('no leader');
    for (const group of groups) {
      expect(await group.when.leaderElected()).toBe(id);
      expect(await group.when.leaderIs(id)).toBe(id);
      await group.when.online();
      await (group === leader ? group.when.isLeader() : group.when.isFollower());
    }
  });

  it('tells of the next leader, of going offline and of coming back', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    const leader = leaderOf(groups);
    const before = leader.leader;
    const rest = followersOf(groups);
    const seen = rest.map(async (group) => {
      await group.when.offline();
      const next = await group.when.leaderChanged();
      await group.when.online();
      return next;
    });
    const lost = cluster.nodes.find((node) => node.id === before);
    cluster.memory.crash(lost?.addresses[0] ?? '', { notice: 'at-once' });
    const elected = await cluster.settled(Promise.all(seen));
    expect(new Set(elected).size).toBe(1);
    expect(elected[0]).not.toBe(before);
  });

  it('counts own bonds, or asks a predicate', async () => {
    const [a, b] = [await cluster.start(), await cluster.start()];
    const key = GroupKey.generate();
    const first = a.groups.withKey(key).join();
    const both = first.when.bonds(1);
    const known = first.when.bonds((bonds) => bonds.has(b.id));
    const next = first.bonds.changed();
    b.groups.withKey(key).join();
    expect((await cluster.settled(both)).size).toBe(1);
    expect((await cluster.settled(known)).get(b.id)?.peer).toBe(b.id);
    expect((await cluster.settled(next)).size).toBe(1);
  });

  it('follows the commit index and the log', async () => {
    await cluster.startMany(2);
    const groups = await cluster.joinKeyValue();
    await cluster.quiet(groups);
    const follower = followersOf(groups)[0];
    if (!follower) throw new Error('no follower');
    const { committed } = follower;
    const waits = [
      follower.when.committed().advanced(),
      follower.when.committed().changed(),
      follower.when.log().advanced(),
      follower.when.committed().reaches(committed + 1),
      follower.when.committed().reaches({ from: committed + 1, to: committed + 1 }),
    ];
    const { index } = await cluster.settled(leaderOf(groups).execute(put('a', '1')));
    expect(await cluster.settled(Promise.all(waits))).toEqual(waits.map(() => index));
    expect(await follower.when.committed().reaches(index)).toBe(index);
  });

  it('gives up at a deadline, saying what the state was, or when its signal aborts', async () => {
    const node = await cluster.start();
    const group = node.groups.withKey(GroupKey.generate()).join();
    const late = expect(cluster.settled(group.when.bonds(1, { timeoutMs: 50 }))).rejects.toThrow(
      /having 1 bonds did not happen within 50 ms; last: 0 bonds/,
    );
    await late;
    await expect(cluster.settled(group.when.leaderElected({ timeoutMs: 1 }))).rejects.toMatchObject({
      code: 'timeout',
    });
    const abort = new AbortController();
    const aborted = group.when.log().reverted({ signal: abort.signal });
    abort.abort(new GroupError('offline', 'enough'));
    await expect(aborted).rejects.toThrow('enough');
    await expect(group.when.isLeader({ signal: AbortSignal.abort('no') })).rejects.toBe('no');
  });
});

describe('onLeader', () => {
  it('runs its task on the leader only, and aborts it before another can lead', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    const running = new Set<number>();
    let most = 0;
    const stops = groups.map((group, i) =>
      group.onLeader(async (signal) => {
        running.add(i);
        most = Math.max(most, running.size);
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        running.delete(i);
      }),
    );
    await cluster.until(() => running.size === 1);
    const first = groups.indexOf(leaderOf(groups));
    expect([...running]).toEqual([first]);
    await cluster.settled(leaderOf(groups).close());
    await cluster.until(() => running.size === 1 && !running.has(first));
    expect(most).toBe(1);
    for (const stop of stops) stop();
    await cluster.until(() => running.size === 0);
  });
});
