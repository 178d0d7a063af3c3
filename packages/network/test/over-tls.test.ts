import { GroupKey, keyValue, Network } from '@mosaik/network';
import { tlsTransport } from '@mosaik/transport/tls';
import { expect, it } from 'vitest';

it('makes one group of three nodes over TLS that writes, and goes on when its leader is gone', async () => {
  const key = GroupKey.generate();
  const listen = { host: '127.0.0.1' };
  const create = (bootstrap: string[] = []) =>
    Network.create({ networkId: 'my-app', listen, transport: tlsTransport, discovery: { bootstrap } });
  await using first = await create();
  const seed = [`${first.id}@${first.addresses[0]}`];
  await using second = await create(seed);
  await using third = await create(seed);
  const nodes = [first, second, third];
  const groups = nodes.map((node) => node.groups.withKey(key).withStateMachine(keyValue()).join());
  await Promise.all(groups.flatMap((group) => [group.when.bonds(2), group.when.online()]));
  expect(new Set(groups.map((group) => group.leader)).size).toBe(1);

  const put = (index: number, text: string) =>
    groups[index]?.execute({ type: 'Put', key: 'color', value: new TextEncoder().encode(text) });
  const lead = groups.findIndex((group) => group.isLeader);
  await put((lead + 1) % 3, 'red');

  const survivors = groups.filter((_, index) => index !== lead);
  await nodes[lead]?.close();
  await Promise.all(survivors.map((group) => group.when.bonds(1)));
  const written = await put((lead + 2) % 3, 'blue');
  for (const group of survivors) {
    expect(group.leader).not.toBe(nodes[lead]?.id);
    const { result } = await group.query(
      { type: 'Get', key: 'color' },
      { consistency: 'strong', timeoutMs: 5000 },
    );
    const value = new TextEncoder().encode('blue');
    expect(result).toEqual({ type: 'Entry', value: { key: 'color', value, index: written?.index } });
  }
});
