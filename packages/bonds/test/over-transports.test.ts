import { type Endpoint, SecretKey, type Transport } from '@mosaik/transport';
import { quicTransport } from '@mosaik/transport/quic';
import { tlsTransport } from '@mosaik/transport/tls';
import { Alpn, CloseCode } from '@mosaik/wire';
import { systemClock, WatchCell } from '@mosaik/wire/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BondAcceptor, type BondDownReason, BondManager } from '../src/index.ts';
import { type TestDirectories, TestDirectory } from '../src/testing/index.ts';
import { handshakeAttacks, memberAttacks } from './attacks.ts';
import { GROUP, KEY, NETWORK } from './mesh.ts';

const directories: TestDirectories = new Map();
const endpoints: Endpoint[] = [];

async function listen(transport: Transport): Promise<{ endpoint: Endpoint; directory: TestDirectory }> {
  const secretKey = SecretKey.generate();
  const endpoint = await transport.listen({ secretKey, host: '127.0.0.1', alpns: [Alpn.groups] });
  endpoints.push(endpoint);
  const { addresses } = endpoint;
  const directory = new TestDirectory({
    secretKey,
    networkId: NETWORK,
    addresses,
    groups: [GROUP],
    directories,
  });
  return { endpoint, directory };
}

interface Member {
  endpoint: Endpoint;
  directory: TestDirectory;
  acceptor: BondAcceptor;
  manager: BondManager;
  downs: BondDownReason[];
  received: WatchCell<readonly Uint8Array[]>;
}

async function member(transport: Transport, incarnation: bigint): Promise<Member> {
  const { endpoint, directory } = await listen(transport);
  const downs: BondDownReason[] = [];
  const received = new WatchCell<readonly Uint8Array[]>([]);
  const shared = { endpoint, directory, networkId: NETWORK, handshakeTimeoutMs: 3000 };
  const acceptor = new BondAcceptor(shared);
  const manager = new BondManager({
    ...shared,
    acceptor,
    groupId: GROUP,
    groupKey: KEY,
    incarnation,
    heartbeatIntervalMs: 500,
    heartbeatJitterMs: 150,
    maxMissedHeartbeats: 10,
    onBondUp: () => {},
    onBondDown: (_, reason) => downs.push(reason),
    onRaft: (_, message) => received.set([...received.value, Uint8Array.from(message)]),
  });
  return { endpoint, directory, acceptor, manager, downs, received };
}

/** Waits for a state, never for a time. */
async function until({ manager }: Member, holds: () => boolean): Promise<void> {
  while (!holds()) await manager.bonds.changed({ signal: AbortSignal.timeout(10_000) });
}

describe.each([
  ['QUIC', quicTransport],
  ['TLS', tlsTransport],
])('over %s', (_, transport) => {
  let a: Member;
  let b: Member;

  beforeAll(async () => {
    [a, b] = await Promise.all([member(transport, 1n), member(transport, 2n)]);
    // Only one of them can dial: of two simultaneous dials the bond is decided a moment later.
    b.directory.feed(a.directory.update({ addresses: [] }));
    a.directory.feed(b.directory.local.value);
    await until(a, () => a.manager.bonds.value.has(b.endpoint.id));
    await until(b, () => b.manager.bonds.value.has(a.endpoint.id));
  });

  afterAll(async () => {
    await Promise.all([a, b].map(({ manager }) => manager.close({ departing: true })));
    await Promise.all([a, b].map(({ acceptor }) => acceptor.close()));
    await Promise.all(endpoints.splice(0).map((endpoint) => endpoint.close()));
  });

  it.each([...handshakeAttacks, ...memberAttacks])(
    'an attacker with $name is refused with $closeCode, and the group does not notice',
    async ({ run, closeCode }) => {
      const bond = a.manager.bonds.value.get(b.endpoint.id);
      expect(bond).toBeDefined();
      const { endpoint, directory } = await listen(transport);
      for (const victim of [a, b]) victim.directory.feed(directory.local.value);
      const [address = ''] = a.endpoint.addresses;
      const connection = await run({ endpoint, victim: { id: a.endpoint.id, address }, clock: systemClock });
      expect(await connection.closed).toMatchObject({ code: closeCode, remote: true });
      await until(a, () => !a.manager.bonds.value.has(endpoint.id));
      expect(a.manager.bonds.value.get(b.endpoint.id)).toBe(bond);
      for (const victim of [a, b])
        victim.directory.feed(directory.update({ departed: true, groups: [], addresses: [] }));
    },
  );

  it('members exchange messages on both lanes, large ones too', async () => {
    const large = new Uint8Array(3_000_000).map((_, i) => i);
    const small = Uint8Array.of(1);
    a.manager.send(b.endpoint.id, small, 'control');
    a.manager.send(b.endpoint.id, large, 'bulk');
    while (b.received.value.length < 2) await b.received.changed({ signal: AbortSignal.timeout(10_000) });
    expect(b.received.value.find(({ length }) => length === 1)).toEqual(small);
    expect(Buffer.from(b.received.value.find(({ length }) => length > 1) ?? []).equals(large)).toBe(true);
  });

  it('a member that departs is gone at once and leaves the others alone', async () => {
    const c = await member(transport, 3n);
    for (const other of [a, b]) {
      other.directory.feed(c.directory.local.value);
      c.directory.feed(other.directory.local.value);
    }
    await until(c, () => c.manager.bonds.value.size === 2);
    for (const other of [a, b]) await until(other, () => other.manager.bonds.value.has(c.endpoint.id));
    await until(a, () => a.manager.bonds.value.topology.length === 3);
    await c.manager.close({ departing: true });
    for (const other of [a, b]) await until(other, () => !other.manager.bonds.value.has(c.endpoint.id));
    for (const other of [a, b])
      expect(other.downs.at(-1)).toMatchObject({ code: CloseCode.GracefulShutdown, departed: true });
    await until(a, () => a.manager.bonds.value.topology.length === 1);
    await c.acceptor.close();
  });
});
