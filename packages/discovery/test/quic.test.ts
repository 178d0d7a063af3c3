import { type Endpoint, SecretKey } from '@mosaik/transport';
import { quicTransport } from '@mosaik/transport/quic';
import { Alpn, type GroupId, type PeerId, UniqueId } from '@mosaik/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { Discovery, type DiscoveryInit } from '../src/index.ts';
import { NETWORK } from './world.ts';

interface Node {
  discovery: Discovery;
  endpoint: Endpoint;
  id: PeerId;
}

const running: Node[] = [];

async function start(init: Partial<DiscoveryInit> = {}): Promise<Node> {
  const secretKey = SecretKey.generate();
  const endpoint = await quicTransport.listen({ secretKey, host: '127.0.0.1', alpns: Object.values(Alpn) });
  const discovery = await Discovery.start({ endpoint, secretKey, networkId: NETWORK, ...init });
  const node = { discovery, endpoint, id: endpoint.id };
  running.push(node);
  return node;
}

async function stop({ discovery, endpoint }: Node): Promise<void> {
  await discovery.close();
  await endpoint.close();
}

/** Resolves when `node` has an entry of `peer` that `condition` accepts. */
function entryOf(node: Node, peer: PeerId, condition: 'present' | 'departed' | GroupId): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const entry = node.discovery.entry(peer)?.entry;
      if (!entry) return;
      const holds =
        condition === 'present' ||
        (condition === 'departed' ? entry.departed : entry.groups.includes(condition));
      if (!holds) return;
      unsubscribe();
      resolve();
    };
    const unsubscribe = node.discovery.subscribe(look);
    look();
  });
}

afterEach(async () => {
  await Promise.all(running.splice(0).map(stop));
});

describe('discovery over QUIC', () => {
  it('makes three nodes know each other, spreads a group and a departure', async () => {
    const a = await start();
    const bootstrap = [...a.endpoint.addresses];
    const [b, c] = await Promise.all([start({ bootstrap }), start({ bootstrap })]);
    await Promise.all(
      [a, b, c].flatMap((x) => [a, b, c].filter((y) => y !== x).map((y) => entryOf(x, y.id, 'present'))),
    );
    const group = UniqueId.from<GroupId>('group');
    c.discovery.addGroup(group);
    await Promise.all([entryOf(a, c.id, group), entryOf(b, c.id, group)]);
    running.splice(running.indexOf(c), 1);
    await stop(c);
    await Promise.all([entryOf(a, c.id, 'departed'), entryOf(b, c.id, 'departed')]);
  });

  it('refuses another network', async () => {
    const a = await start();
    const other = await start({ networkId: UniqueId.from('another network') });
    const [address = ''] = a.endpoint.addresses;
    await expect(other.discovery.syncWith(address)).rejects.toMatchObject({
      code: 'different-network',
      closeCode: 101,
    });
    expect([...a.discovery.entries(), ...other.discovery.entries()]).toEqual([]);
  });
});
