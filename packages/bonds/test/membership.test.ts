import { CloseCode } from '@mosaik/wire';
import { describe, expect, it } from 'vitest';
import { BondError } from '../src/index.ts';
import { GROUP, introduce, type Node, World } from './mesh.ts';

const portOf = (node: Node) => Number(node.address.split(':')[1]);

describe('the dial list', () => {
  it('needs no catalog entry: a bonded peer that discovery forgot is dialled again when its bond is lost', async () => {
    const world = new World();
    const [a, b] = (await world.mesh(2)) as [Node, Node];
    await world.bonded(a, b);
    world.network.partition(a.address, b.address);
    a.directory.purge(b.id);
    b.directory.purge(a.id);
    await world.clock.until(() => a.size === 0 && b.size === 0, 20_000);
    await world.clock.advance(600_000);
    world.network.heal();
    await world.clock.until(() => a.size === 1 && b.size === 1, 20_000);
  });

  it('dials a peer that discovery finds later', async () => {
    const world = new World();
    const a = await world.node();
    const b = await world.node();
    await world.clock.advance(10_000);
    expect(a.size).toBe(0);
    a.directory.feed(b.directory.local.value);
    await world.clock.until(() => a.size === 1 && b.size === 1, 2000);
  });

  it('tries every address of a peer, in order', async () => {
    const world = new World();
    const [a, b] = (await Promise.all([world.node(), world.node()])) as [Node, Node];
    b.directory.update({ addresses: ['127.0.0.1:1', ...b.endpoint.addresses] });
    a.directory.feed(b.directory.local.value);
    await world.clock.until(() => a.size === 1 && b.size === 1, 10_000);
  });

  it('never takes another peer at the address for the one it dialled', async () => {
    const world = new World();
    const a = await world.node();
    const b = await world.node({ join: false });
    const other = await world.node();
    b.directory.update({ addresses: [...other.endpoint.addresses] });
    a.directory.feed(b.directory.local.value);
    await world.clock.advance(10_000);
    expect([a.size, other.size]).toEqual([0, 0]);
  });
});

describe('two processes with one identity', () => {
  it('are both refused and named in the log, and the rest of the mesh stands', async () => {
    const world = new World();
    const [a, b, twin] = (await world.mesh(3)) as [Node, Node, Node];
    await world.bonded(a, b, twin);
    const second = await world.node({ secretKey: twin.secretKey, port: portOf(twin) + 100 });
    for (const node of [a, b]) second.directory.feed(node.directory.local.value);
    // The second process took the bonds over; the first, which believes that it lost them, dials again.
    await world.clock.until(() => a.logs.some((log) => log.startsWith('duplicate identity')), 30_000);
    await world.clock.advance(5000);
    expect(a.manager?.bonds.value.has(twin.id)).toBe(false);
    expect(a.bond(b)).toBeDefined();
  });
});

describe('a manager', () => {
  it('that closes leaves nothing behind: no bonds, no dials, no timers that dial', async () => {
    const world = new World();
    const [a, b] = (await world.mesh(2)) as [Node, Node];
    await world.bonded(a, b);
    await a.manager?.close();
    expect(a.size).toBe(0);
    expect(a.downs.at(-1)).toMatchObject({
      code: CloseCode.GracefulShutdown,
      remote: false,
      departed: false,
    });
    const events = a.events.length;
    await world.clock.advance(120_000);
    expect(a.events.length).toBe(events);
    expect(b.downs.at(-1)).toMatchObject({ code: CloseCode.GracefulShutdown, remote: true, departed: false });
    await expect(a.manager?.bonds.changed()).rejects.toThrow(BondError);
    await a.manager?.close();
  });

  it('of a group that is registered already, or of a closed acceptor, is refused', async () => {
    const world = new World();
    const node = await world.node();
    expect(() => node.join()).toThrow(
      expect.objectContaining({ name: 'BondError', code: 'duplicate-group' }),
    );
    await node.acceptor.close();
    expect(() => node.join({ groupId: GROUP })).toThrow(expect.objectContaining({ code: 'closed' }));
  });

  it('refuses options out of range and names them', async () => {
    const world = new World();
    const node = await world.node({ join: false });
    for (const [name, value] of [
      ['heartbeatIntervalMs', 10_001],
      ['heartbeatIntervalMs', 0],
      ['heartbeatJitterMs', 500],
      ['maxMissedHeartbeats', 0],
      ['handshakeTimeoutMs', 0],
    ] as const)
      expect(() => node.join({ [name]: value })).toThrow(
        expect.objectContaining({ name: 'RangeError', message: expect.stringContaining(name) }),
      );
  });

  it('survives handlers that throw', async () => {
    const world = new World();
    const fail = () => {
      throw new Error('the group is broken');
    };
    const [a, b] = (await world.mesh(2, { onBondUp: fail, onBondDown: fail })) as [Node, Node];
    await world.bonded(a, b);
    a.bond(b)?.close();
    await world.bonded(a, b);
    expect(a.logs).toContain('onBondUp threw');
    introduce(a, b);
  });
});
