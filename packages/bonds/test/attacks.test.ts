import { SecretKey } from '@mosaik/transport';
import { memoryTransport } from '@mosaik/transport/memory';
import { Alpn, CloseCode } from '@mosaik/wire';
import { describe, expect, it } from 'vitest';
import { TestDirectory } from '../src/testing/index.ts';
import { type Attacker, handshakeAttacks, memberAttacks } from './attacks.ts';
import { GROUP, introduce, NETWORK, type Node, World } from './mesh.ts';

/** Somebody that both members of a group know as a peer, without a manager of its own. */
async function attackerOf(world: World, ...victims: [Node, ...Node[]]): Promise<Attacker> {
  const secretKey = SecretKey.from(world.rng.bytes(32));
  const endpoint = await memoryTransport({ network: world.network }).listen({
    secretKey,
    host: '127.0.0.1',
    alpns: [Alpn.groups],
  });
  const { directories } = world;
  const directory = new TestDirectory({
    secretKey,
    networkId: NETWORK,
    addresses: endpoint.addresses,
    groups: [GROUP],
    directories,
  });
  for (const victim of victims) victim.directory.feed(directory.local.value);
  return { endpoint, victim: { id: victims[0].id, address: victims[0].address }, clock: world.clock };
}

/** Lets virtual time pass until `promise` settles. */
async function inTime<T>(world: World, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = () => {
    settled = true;
  };
  promise.then(done, done);
  await world.clock.until(() => settled, 10_000);
  return promise;
}

describe.each([...handshakeAttacks, ...memberAttacks])('an attacker with $name', ({ run, closeCode }) => {
  it(`is refused with ${closeCode}, and the group does not notice`, async () => {
    const world = new World();
    const [a, b] = (await world.mesh(2)) as [Node, Node];
    await world.bonded(a, b);
    const bond = a.bond(b);
    const attacker = await attackerOf(world, a, b);
    const connection = await inTime(world, run(attacker));
    expect(await inTime(world, connection.closed)).toMatchObject({ code: closeCode, remote: true });
    await world.clock.advance(1000);
    expect(a.bond(b)).toBe(bond);
    expect(a.manager?.bonds.value.has(attacker.endpoint.id)).toBe(false);
  });
});

describe('half-open handshakes', () => {
  it('in numbers are bounded per peer, and end in time', async () => {
    const world = new World();
    const [a, b] = (await world.mesh(2)) as [Node, Node];
    await world.bonded(a, b);
    const { endpoint, victim } = await attackerOf(world, a, b);
    const dials = Array.from({ length: 30 }, () => endpoint.connect(victim.address, Alpn.groups));
    const connections = await inTime(world, Promise.all(dials));
    const codes = await inTime(
      world,
      Promise.all(connections.map(async ({ closed }) => (await closed).code)),
    );
    expect(codes.filter((code) => code === CloseCode.Timeout)).toHaveLength(8);
    expect(codes.filter((code) => code === CloseCode.Cancelled)).toHaveLength(22);
  });

  it('of a peer that nobody knows are refused before anything is read', async () => {
    const world = new World();
    const [a, b] = (await world.mesh(2)) as [Node, Node];
    introduce(a, b);
    const endpoint = await memoryTransport({ network: world.network }).listen({
      secretKey: SecretKey.from(world.rng.bytes(32)),
      alpns: [Alpn.groups],
    });
    const connection = await inTime(world, endpoint.connect(a.address, Alpn.groups));
    expect(await inTime(world, connection.closed)).toMatchObject({
      code: CloseCode.UnknownPeer,
      remote: true,
    });
  });
});
