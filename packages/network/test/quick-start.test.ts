import { GroupKey, keyValue, Network } from '@mosaik/network';
import { describe, expect, it } from 'vitest';

describe('the quick start', () => {
  it('elects a leader over QUIC with nothing but a key and a name', async () => {
    const key = GroupKey.generate(); // every member uses the same key
    await using network = await Network.create({ networkId: 'my-app' });
    const group = network.groups.withKey(key).join(); // no-op state machine: election and membership only
    const leader = await group.when.leaderElected();
    expect(leader).toBe(network.id);
    expect(group.isLeader).toBe(true);
  });

  it('makes one group of three nodes over QUIC', async () => {
    const key = GroupKey.generate();
    const listen = { host: '127.0.0.1' };
    await using first = await Network.create({ networkId: 'my-app', listen });
    const discovery = { bootstrap: [`${first.id}@${first.addresses[0]}`] };
    await using second = await Network.create({ networkId: 'my-app', listen, discovery });
    await using third = await Network.create({ networkId: 'my-app', listen, discovery });
    const groups = [first, second, third].map((node) =>
      node.groups.withKey(key).withStateMachine(keyValue()).join(),
    );
    await Promise.all(groups.flatMap((group) => [group.when.bonds(2), group.when.online()]));
    expect(new Set(groups.map((group) => group.leader)).size).toBe(1);
    const follower = groups.find((group) => !group.isLeader);
    const value = new TextEncoder().encode('red');
    const written = await follower?.execute({ type: 'Put', key: 'color', value });
    for (const group of groups) {
      const { result } = await group.query(
        { type: 'Get', key: 'color' },
        { consistency: 'strong', timeoutMs: 5000 },
      );
      expect(result).toEqual({ type: 'Entry', value: { key: 'color', value, index: written?.index } });
    }
  });
});
