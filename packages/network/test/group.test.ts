import { consensus, GroupError, GroupKey, keyValue, noOp } from '@mosaik/groups';
import type { Network } from '@mosaik/network';
import { UniqueId } from '@mosaik/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cluster, followersOf, leaderOf, put, read } from './cluster.ts';

let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});
afterEach(() => cluster.close());

describe('a group', () => {
  it('elects one leader that every member agrees on, over one bond per pair', async () => {
    await cluster.startMany(4);
    const groups = await cluster.joinKeyValue();
    expect(groups.filter((group) => group.isLeader)).toHaveLength(1);
    for (const group of groups) {
      expect(group.bonds.size).toBe(3);
      expect(group.role).toBe(group.isLeader ? 'leader' : 'follower');
    }
    await cluster.until(() => groups.every((group) => group.bonds.topology.length === 6));
    const meshes = groups.map((group) => group.bonds.topology.map(({ id }) => id).sort());
    for (const mesh of meshes) expect(mesh).toEqual(meshes[0]);
  });

  it('is left, with the network, by one entry that says so', async () => {
    const [one, other] = (await cluster.startMany(3)) as [Network, Network, Network];
    await cluster.joinKeyValue();
    const versions: boolean[] = [];
    other.discovery.subscribe(({ entry }) => {
      if (entry.peerId === one.id) versions.push(entry.departed);
    });
    await cluster.settled(one.close());
    await cluster.until(() => versions.includes(true));
    expect(versions).toEqual([true]);
  });

  it('elects its only member', async () => {
    const node = await cluster.start();
    const group = node.groups.withKey(GroupKey.generate()).join();
    expect(await cluster.settled(group.when.leaderElected())).toBe(node.id);
    expect(group.isLeader).toBe(true);
  });

  it('replicates what any member executes, with its output and index', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    const follower = followersOf(groups)[0] ?? leaderOf(groups);
    const first = await cluster.settled(follower.execute(put('a', '1')));
    const second = await cluster.settled(leaderOf(groups).execute(put('a', '2')));
    expect(first.output).toEqual({ type: 'Done', index: 0 });
    expect(second.output).toEqual({ type: 'Done', index: first.index });
    for (const group of groups) {
      expect(await cluster.settled(read(group, 'a', 'strong'))).toBe('2');
      expect(await cluster.settled(read(group, 'a', 'weak', second.index))).toBe('2');
    }
  });

  it('executes many commands as one contiguous run', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    for (const group of groups) {
      const { from, to, outputs } = await cluster.settled(
        group.executeMany([put('x', '1'), put('x', '2'), put('x', '3')]),
      );
      expect(to - from).toBe(2);
      expect(outputs).toHaveLength(3);
      expect(outputs[2]).toEqual({ type: 'Done', index: to - 1 });
    }
  });

  it('assigns an index to what is fed, and commits it', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    for (const group of groups) {
      const index = await cluster.settled(group.feed(put('fed', group.id)));
      await cluster.settled(Promise.all(groups.map((other) => other.when.committed().reaches(index))));
      const run = await cluster.settled(group.feedMany([put('fed', 'b'), put('fed', 'c')]));
      expect(run.to).toBe(run.from + 1);
      expect(run.from).toBeGreaterThan(index);
    }
  });

  it('refuses an empty run of commands', async () => {
    await cluster.startMany(1);
    const [group] = await cluster.joinKeyValue();
    await expect(group?.executeMany([])).rejects.toMatchObject({ name: 'GroupError', code: 'no-commands' });
  });

  it('changes a key only while it is as expected', async () => {
    await cluster.startMany(1);
    const [group] = await cluster.joinKeyValue();
    if (!group) throw new Error('no group');
    const created = await cluster.settled(group.execute(put('k', '1', 0)));
    expect(created.output).toEqual({ type: 'Done', index: 0 });
    const refused = await cluster.settled(group.execute(put('k', '2', 0)));
    expect(refused.output).toEqual({ type: 'Conflict', index: created.index });
    const removed = await cluster.settled(
      group.execute({ type: 'Delete', key: 'k', expected: created.index }),
    );
    expect(removed.output).toEqual({ type: 'Done', index: created.index });
    expect(await cluster.settled(read(group, 'k', 'strong'))).toBeUndefined();
  });

  it('elects another leader and keeps every write when the leader vanishes', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    await cluster.settled(leaderOf(groups).execute(put('kept', 'yes')));
    const leader = leaderOf(groups);
    const lost = cluster.nodes.find((node) => node.id === leader.leader);
    const rest = followersOf(groups);
    cluster.memory.crash(lost?.addresses[0] ?? '', { notice: 'at-once' });
    await cluster.until(() => rest.every((group) => group.online && group.leader !== lost?.id));
    const after = await cluster.settled(leaderOf(rest).execute(put('after', 'too')));
    for (const group of rest) {
      expect(await cluster.settled(read(group, 'kept', 'strong'))).toBe('yes');
      expect(await cluster.settled(read(group, 'after', 'weak', after.index))).toBe('too');
    }
  });

  it('carries on when its leader leaves gracefully, and takes it back', async () => {
    await cluster.startMany(3);
    const groups = await cluster.joinKeyValue();
    const leader = leaderOf(groups);
    const rest = followersOf(groups);
    await cluster.settled(leader.execute(put('a', '1')));
    await cluster.settled(leader.close());
    await cluster.until(() => rest.every((group) => group.online && group.bonds.size === 1));
    await cluster.settled(leaderOf(rest).execute(put('b', '2')));
  });
});

describe('joining', () => {
  it('gives handles on one member, which leaves with the last of them', async () => {
    const [a, b] = [await cluster.start(), await cluster.start()];
    const key = GroupKey.generate();
    const other = b.groups.withKey(key).join();
    const first = a.groups.withKey(key).join();
    const second = a.groups.withKey(key).join();
    expect(second.id).toBe(first.id);
    await cluster.settled(Promise.all([first.when.online(), other.when.bonds(1)]));
    const pending = first.when.committed().reaches(1_000_000);
    const rejected = expect(pending).rejects.toMatchObject({ code: 'terminated' });
    await cluster.settled(first.close());
    await rejected;
    expect(second.bonds.size).toBe(1);
    await expect(first.execute(undefined)).rejects.toMatchObject({ code: 'terminated' });
    await cluster.settled(second.close());
    await cluster.until(() => other.bonds.size === 0);
  });

  it('gives another group for another key, configuration, machine or validator', async () => {
    const node = await cluster.start();
    const key = GroupKey.generate();
    const validator = (name: string) => ({
      ticketClass: UniqueId.from('class'),
      signature: UniqueId.from(name),
      validate: async () => 'never' as const,
    });
    const builder = () => node.groups.withKey(key);
    const groups = [
      builder().join(),
      node.groups.withKey(GroupKey.generate()).join(),
      builder().withConsensus({ electionTimeoutMs: 2001 }).join(),
      builder()
        .withConsensus({ quorum: { voters: [node.id] } })
        .join(),
      builder().withStateMachine(keyValue()).join(),
      builder().requireTicket(validator('v1')).join(),
      builder().requireTicket(validator('v2')).join(),
      builder().requireTicket(validator('v1')).requireTicket(validator('v2')).join(),
      builder().requireTicket(validator('v2')).requireTicket(validator('v1')).join(),
    ];
    expect(new Set(groups.map((group) => group.id)).size).toBe(groups.length);
    expect(builder().withStateMachine(noOp()).withConsensus(consensus({})).join().id).toBe(groups[0]?.id);
  });

  it('takes the log storage only after the machine', async () => {
    const node = await cluster.start();
    const builder = node.groups.withKey(GroupKey.generate());
    // @ts-expect-error: without a machine there is nothing to store
    expect(typeof builder.withLogStorage === 'function' || builder.withLogStorage === undefined).toBe(true);
    expect(builder.withStateMachine(keyValue()).withLogStorage).toBeTypeOf('function');
  });

  it('refuses impossible settings at once, naming them', async () => {
    const node = await cluster.start();
    const builder = () => node.groups.withKey(GroupKey.generate());
    expect(() => builder().withConsensus({ electionTimeoutMs: -1 })).toThrow(/electionTimeoutMs.*-1/);
    expect(() => builder().withConsensus({ heartbeatIntervalMs: 20_000 }).join()).toThrow(
      /heartbeatIntervalMs.*20.?000/,
    );
  });
});

describe('closing', () => {
  it('rejects everything that is pending and everything later with `terminated`', async () => {
    await cluster.startMany(2);
    const [group] = await cluster.joinKeyValue();
    if (!group) throw new Error('no group');
    const pending = [
      group.when.leaderChanged(),
      group.when.offline(),
      group.when.bonds(9),
      group.when.log().reaches(1_000_000),
      group.bonds
        .changed()
        .then(() => group.bonds.changed())
        .then(() => group.bonds.changed()),
    ].map((promise) =>
      promise.then(
        () => 'resolved',
        (error: unknown) => error,
      ),
    );
    await cluster.settled(group.close());
    const outcomes = await cluster.settled(Promise.all(pending));
    for (const outcome of outcomes.filter((value) => value !== 'resolved')) {
      expect(outcome).toBeInstanceOf(GroupError);
      expect(outcome).toMatchObject({ code: 'terminated' });
    }
    expect(outcomes.slice(2, 4)).not.toContain('resolved');
    await expect(group.execute(put('a', 'b'))).rejects.toMatchObject({ code: 'terminated' });
    await expect(group.when.leaderElected()).rejects.toMatchObject({ code: 'terminated' });
    expect(await group.closed).toMatchObject({ reason: 'closed' });
  });
});
