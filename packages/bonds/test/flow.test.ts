import { initiateHandshake } from '@mosaik/handshake';
import { type Connection, SecretKey } from '@mosaik/transport';
import { memoryTransport } from '@mosaik/transport/memory';
import { Alpn, CloseCode } from '@mosaik/wire';
import type { Metrics } from '@mosaik/wire/runtime';
import { describe, expect, it } from 'vitest';
import { handshakeChannel, sessionSecretOf } from '../src/handshake-channel.ts';
import { TestDirectory } from '../src/testing/index.ts';
import { GROUP, KEY, NETWORK, type Node, World } from './mesh.ts';

interface DeafMember {
  id: Node['id'];
  connection: Connection;
  closed: () => unknown;
}

/** A member that finishes its handshake with `node` and then never reads. */
async function deafMember(world: World, node: Node): Promise<DeafMember> {
  const secretKey = SecretKey.from(world.rng.bytes(32));
  const endpoint = await memoryTransport({ network: world.network }).listen({
    secretKey,
    alpns: [Alpn.groups],
  });
  const { directories } = world;
  const { local } = new TestDirectory({ secretKey, networkId: NETWORK, addresses: [], directories });
  node.directory.feed(local.value);
  let reason: unknown;
  let bonded = false;
  const dialling = (async () => {
    const connection = await endpoint.connect(node.address, Alpn.groups);
    const link = await connection.openLink();
    await initiateHandshake(handshakeChannel(connection, link), {
      networkId: NETWORK,
      groupId: GROUP,
      groupKey: KEY,
      sessionSecret: sessionSecretOf(connection, GROUP),
      localId: secretKey.id,
      remoteId: node.id,
      clock: world.clock,
    });
    bonded = true;
    void connection.closed.then((value) => {
      reason = value;
    });
    return connection;
  })();
  await world.clock.until(() => bonded && node.size === 1);
  return { id: secretKey.id, connection: await dialling, closed: () => reason };
}

describe('a peer that cannot drain', () => {
  it.each([
    ['control', 60_000, 5 * 1024 * 1024],
    ['bulk', 1024 * 1024, 34 * 1024 * 1024],
  ] as const)(
    'is closed with Timeout once its %s queue is full, and never buffered without bound',
    async (lane, frameBytes, atMost) => {
      const world = new World({ windowBytes: 64 * 1024 });
      const node = await world.node();
      const deaf = await deafMember(world, node);
      const frame = new Uint8Array(frameBytes);
      let sent = 0;
      while (node.manager?.send(deaf.id, frame, lane)) {
        sent += frameBytes;
        expect(sent).toBeLessThanOrEqual(atMost);
      }
      expect(sent).toBeGreaterThan(3 * 1024 * 1024);
      expect(node.downs.at(-1)).toMatchObject({ code: CloseCode.Timeout, remote: false });
      expect(node.downs.at(-1)?.reason).toContain(lane);
      expect(node.size).toBe(0);
      await world.clock.until(() => deaf.closed() !== undefined);
      expect(deaf.closed()).toMatchObject({ code: CloseCode.Timeout, remote: true });
    },
  );
});

describe('bulk data', () => {
  it('has its link from the start, by a message that says nothing, and that nobody is told of', async () => {
    const world = new World();
    const node = await world.node();
    const { connection, closed } = await deafMember(world, node);
    const inbound = connection.acceptLink().then((link) => link.receiveBatch());
    const outbound = await connection.openLink();
    for (const length of [0, 0, 1]) outbound.write(new Uint8Array(length));
    await world.clock.until(() => node.raft.length > 0);
    expect(node.raft).toHaveLength(1);
    expect(await inbound).toEqual([new Uint8Array(0)]);
    expect(closed()).toBeUndefined();
  });

  it('does not hold up heartbeats and control messages', async () => {
    const world = new World({ windowBytes: 64 * 1024, latencyMs: 20 });
    const [a, b] = (await world.mesh(2)) as [Node, Node];
    await world.bonded(a, b);
    const bond = a.bond(b);
    const chunk = new Uint8Array(256 * 1024).fill(1);
    for (let i = 0; i < 100; i += 1) a.manager?.send(b.id, chunk, 'bulk');
    a.manager?.send(b.id, Uint8Array.of(2), 'control');
    await world.clock.advance(25);
    expect(b.raft.map(({ message }) => message[0])).toContain(2);
    expect(b.raft.length).toBeLessThan(20);
    await world.clock.until(() => b.raft.length === 101, 60_000);
    expect(a.bond(b)).toBe(bond);
  });

  it('that both sides send at once, each more than a window, arrives: reading never waits for writing', async () => {
    const world = new World({ windowBytes: 64 * 1024 });
    const [a, b] = (await world.mesh(2)) as [Node, Node];
    await world.bonded(a, b);
    const chunk = new Uint8Array(1024 * 1024).fill(1);
    for (let i = 0; i < 20; i += 1) {
      a.manager?.send(b.id, chunk, 'bulk');
      b.manager?.send(a.id, chunk, 'bulk');
    }
    await world.clock.until(() => a.raft.length === 20 && b.raft.length === 20, 60_000);
  });
});

describe('metrics', () => {
  it('count bonds, bytes and messages under the names of the original, by network and group', async () => {
    const world = new World();
    const counts = new Map<string, number>();
    const labels = new Set<string>();
    const metrics: Metrics = {
      count(name, label, by = 1) {
        counts.set(name, (counts.get(name) ?? 0) + by);
        labels.add(JSON.stringify(label));
      },
      gauge: (name, value) => counts.set(name, value),
      observe() {},
    };
    const [a, b] = (await world.mesh(2, { metrics })) as [Node, Node];
    await world.bonded(a, b);
    counts.clear();
    a.manager?.send(b.id, new Uint8Array(1000), 'bulk');
    await world.clock.advance(1000);
    expect(counts.get('mosaik.groups.bonds.messages.sent')).toBe(1);
    expect(counts.get('mosaik.groups.bonds.messages.received')).toBe(1);
    expect(counts.get('mosaik.groups.bonds.bytes.sent')).toBeGreaterThanOrEqual(1000);
    expect(counts.get('mosaik.groups.bonds.bytes.sent')).toBe(
      counts.get('mosaik.groups.bonds.bytes.received'),
    );
    expect([...labels]).toEqual([JSON.stringify({ network: NETWORK, group: GROUP })]);
    await a.manager?.close({ departing: true });
    await world.clock.advance(100);
    expect(counts.get('mosaik.groups.bonds.active')).toBe(0);
  });
});
