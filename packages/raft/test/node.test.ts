import { afterEach, describe, expect, test } from 'vitest';
import { Mesh, meshId } from './support/mesh.ts';

let mesh: Mesh;
afterEach(() => mesh.close());

describe('three members, dynamic', () => {
  test('elect, replicate, lose the leader, go on, and take it back with an empty log', async () => {
    mesh = new Mesh();
    for (const index of [0, 1, 2]) await mesh.open(index);
    const leader = await mesh.online();
    const done = leader.execute('one');
    await mesh.clock.advance(20);
    await expect(done).resolves.toMatchObject({ output: expect.stringMatching(/^\d+:one$/) });

    const follower = mesh.follower();
    const two = follower.execute('two');
    await mesh.clock.advance(20);
    await expect(two).resolves.toMatchObject({ output: expect.stringMatching(/^\d+:two$/) });

    const lost = [0, 1, 2].find((index) => mesh.nodes.get(meshId(index)) === leader) as number;
    await mesh.kill(lost);
    await mesh.clock.until(() => mesh.leader !== undefined);
    const three = (await mesh.online(2)).execute('three');
    await mesh.clock.advance(20);
    await three;

    const back = await mesh.open(lost);
    await mesh.online(3);
    await mesh.clock.advance(1000);
    for (const machine of mesh.machines.values()) expect(machine.applied).toEqual(['one', 'two', 'three']);
    const read = back.query(undefined, { consistency: 'strong' });
    await mesh.clock.advance(20);
    await expect(read).resolves.toMatchObject({ result: 3 });
  });
});
