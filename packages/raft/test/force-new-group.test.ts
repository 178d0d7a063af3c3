import { forceNewGroup, type LogStorage, memoryLogStorage } from '@mosaik/raft';
import type { GroupId } from '@mosaik/wire';
import { afterEach, describe, expect, test } from 'vitest';
import { Mesh, meshId, type TextNode } from './support/mesh.ts';

const group = 'aa'.repeat(32) as GroupId;
let mesh: Mesh;
afterEach(() => mesh?.close());

const settled = async <T>(promise: Promise<T>): Promise<T> => {
  let done = false;
  const finish = () => {
    done = true;
  };
  promise.then(finish, finish);
  await mesh.clock.until(() => done);
  return promise;
};

/** Three voters that executed `a`, all stopped; their stores. */
const stopped = async (): Promise<LogStorage[]> => {
  mesh = new Mesh({ bootstrapDelayMs: 100, quorum: { voters: [0, 1, 2].map(meshId) } });
  const stores = [0, 1, 2].map(() => memoryLogStorage());
  for (const [index, storage] of stores.entries()) await mesh.open(index, { storage });
  await settled((await mesh.online()).execute('a'));
  await mesh.clock.advance(2000);
  for (const index of [0, 1, 2]) await mesh.kill(index);
  return stores;
};
const force = (storage: LogStorage, index = 0) => forceNewGroup({ storage, group, member: meshId(index) });

describe('a group whose majority is lost for ever', () => {
  test('does not come back by itself; forced, one member begins it anew with what it has', async () => {
    const [storage] = await stopped();
    const alone = await mesh.open(0, { storage: storage as LogStorage });
    await mesh.clock.advance(60_000);
    expect(alone.status.value).toMatchObject({ online: false, leader: undefined });
    await mesh.kill(0);
    const { kept, others } = await force(storage as LogStorage);
    expect(kept.index).toBeGreaterThan(1);
    expect(others).toEqual([meshId(1), meshId(2)]);
    const node = await mesh.open(0, { storage: storage as LogStorage });
    await mesh.clock.until(() => node.status.value.online);
    await settled(node.execute('b'));
    expect(mesh.machines.get(meshId(0))?.applied).toEqual(['a', 'b']);
    expect(node.status.value.voters).toMatchObject({ current: [meshId(0)], learners: others });
  });

  test('takes the others back when they come without their logs, and they count', async () => {
    const [storage] = await stopped();
    await force(storage as LogStorage);
    await mesh.open(0, { storage: storage as LogStorage });
    for (const index of [1, 2]) await mesh.open(index);
    const leader = await mesh.online(3);
    expect(leader.status.value.quorum).toEqual({ mode: 'voters', have: 3, need: 2 });
    await mesh.clock.advance(1000);
    expect(mesh.machines.get(meshId(2))?.applied).toEqual(['a']);
  });

  test('does not mix with whoever still has a log of before: both say so', async () => {
    const [forced, old] = await stopped();
    await force(forced as LogStorage);
    const node = await mesh.open(0, { storage: forced as LogStorage });
    const other = (await mesh.open(1, { storage: old as LogStorage })) as TextNode;
    await mesh.clock.until(() => node.status.value.online);
    await settled(node.execute('b'));
    await mesh.clock.advance(20_000);
    expect(other.status.value).toMatchObject({
      leader: undefined,
      problem: expect.stringMatching(/by force/),
    });
    expect(node.status.value).toMatchObject({ online: true, problem: expect.stringMatching(/by force/) });
    expect(mesh.machines.get(meshId(1))?.applied).toEqual([]);
  });

  test('is not begun anew from a log that is empty, or another one’s', async () => {
    await expect(force(memoryLogStorage())).rejects.toMatchObject({ code: 'not-a-voter' });
    const [storage] = await stopped();
    await expect(force(storage as LogStorage, 7)).rejects.toMatchObject({ code: 'not-a-voter' });
  });
});
