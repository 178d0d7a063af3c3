import { type GroupError, GroupKey, type KeyValueCommand, type Reverted } from '@mosaik/groups';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cluster, type KvGroup, leaderOf, put, read } from './cluster.ts';

let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});
afterEach(() => cluster.close());

const address = (index: number) => cluster.nodes[index]?.addresses[0] ?? '';
const split = (inside: readonly number[]) => {
  for (const a of inside) {
    for (let b = 0; b < cluster.nodes.length; b += 1) {
      if (!inside.includes(b)) cluster.memory.partition(address(a), address(b));
    }
  }
};
const heal = () => cluster.memory.heal();

describe('a group of two', () => {
  it('founded by one and joined by the other commits with both copies only', async () => {
    const key = GroupKey.generate();
    const [first, second] = await cluster.startMany(2);
    if (!first || !second) return;
    const a = first.groups.withKey(key).join();
    await cluster.settled(a.when.online());
    const b = second.groups.withKey(key).join();
    await cluster.settled(b.when.online());
    await cluster.until(() => a.status.value.members.length === 2);
    expect(a.status.value.quorum).toMatchObject({ mode: 'dynamic', need: 2 });
  });

  it.each(['follower', 'leader'])(
    'goes on with one, and takes the other back: the %s was lost',
    async (lost) => {
      await cluster.startMany(2);
      const groups = await cluster.joinKeyValue();
      const leader = leaderOf(groups);
      await cluster.settled(leader.execute(put('before', '1')));
      const stays = groups.findIndex((group) => (group === leader) === (lost === 'follower'));
      split([stays]);
      const group = groups[stays] as KvGroup;
      await cluster.until(() => group.isLeader && group.online && group.status.value.members.length === 1);
      await cluster.settled(group.execute(put('after', '2')));
      heal();
      await cluster.online(groups);
      await cluster.until(() => groups.every((one) => one.status.value.members.length === 2));
      for (const one of groups) {
        expect(await cluster.settled(read(one, 'before', 'strong'))).toBe('1');
        expect(await cluster.settled(read(one, 'after', 'strong'))).toBe('2');
      }
    },
  );

  it('that split, wrote on both sides and met again keeps one history, and says what the other gave up (D8)', async () => {
    await cluster.startMany(2);
    const groups = await cluster.joinKeyValue();
    await cluster.settled(leaderOf(groups).execute(put('common', '0')));
    const reverted: [KvGroup, Reverted<KeyValueCommand>][] = [];
    for (const group of groups) group.on('log:reverted', (event) => reverted.push([group, event]));
    split([0]);
    await cluster.until(() => groups.every((group) => group.isLeader && group.online));
    for (const group of groups) {
      // Whoever asked here, had no answer, and asked there too, has it done on both sides.
      await cluster.settled(group.execute(put('asked', 'twice'), { idempotencyKey: 'one request' }));
      await cluster.settled(group.execute(put('ours', group === groups[0] ? '0' : '1')));
    }
    const fell = Promise.race(groups.map((group) => group.when.committed().reverted()));
    heal();
    await cluster.settled(fell);
    await cluster.online(groups);
    await cluster.until(() => groups.every((group) => group.status.value.members.length === 2));
    expect(reverted).toHaveLength(1);
    const [loser, event] = reverted[0] ?? [];
    expect(event).toMatchObject({ complete: true, compared: true });
    expect(event?.commands.map(({ command }) => command.key)).toEqual(['ours']);
    expect(event?.commands[0]?.index).toBeLessThanOrEqual(event?.applied ?? 0);
    expect(loser?.status.value.reverted).toBe(1);
    const kept = loser === groups[0] ? '1' : '0';
    for (const group of groups) {
      expect(await cluster.settled(read(group, 'ours', 'strong'))).toBe(kept);
      expect(await cluster.settled(read(group, 'common', 'weak'))).toBe('0');
      expect(await cluster.settled(read(group, 'asked', 'weak'))).toBe('twice');
    }
  });
});

describe('a group of four, cut in two halves that both write', () => {
  it('is the side that was not forced again; its writes stay, and whoever waits on the other has no answer', async () => {
    await cluster.startMany(4);
    const groups = await cluster.joinKeyValue();
    const leader = leaderOf(groups);
    // The view grows one member at a time: a half without its majority would have to force, the leader's too.
    await cluster.until(() =>
      groups.every(
        ({ status, committed }) =>
          status.value.members.length === 4 && committed === leader.logPosition.index,
      ),
    );
    const leads = groups.indexOf(leader);
    const half = [leads, (leads + 1) % 4];
    split(half);
    const others = groups.filter((_, i) => !half.includes(i));
    await cluster.until(() => leader.status.value.members.length === 2 && leader.online);
    await cluster.until(() => others.some((group) => group.isLeader && group.online));
    await cluster.settled(leader.execute(put('side', 'trunk')));
    await cluster.settled(leaderOf(others).execute(put('side', 'fork')));
    const gone: number[] = [];
    for (const [i, group] of groups.entries()) group.on('log:reverted', () => gone.push(i));
    const errors: GroupError[] = [];
    heal();
    await cluster.until(() => {
      // Somebody writes all the while: what is acknowledged is there, or was said to be lost.
      for (const group of others) group.execute(put('more', '1')).catch((error) => errors.push(error));
      return gone.length === 2;
    });
    await cluster.online(groups);
    expect(gone.sort()).toEqual([0, 1, 2, 3].filter((i) => !half.includes(i)));
    for (const group of groups) expect(await cluster.settled(read(group, 'side', 'strong'))).toBe('trunk');
    for (const error of errors) expect(['unknown-outcome', 'offline', 'no-quorum']).toContain(error.code);
  });
});
