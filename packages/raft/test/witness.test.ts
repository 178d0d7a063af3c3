import { memoryLogStorage } from '@mosaik/raft';
import { afterEach, expect, test } from 'vitest';
import { Mesh, meshId, type TextNode } from './support/mesh.ts';

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
const start = async () => {
  const quorum = { voters: [0, 1].map(meshId), witnesses: [meshId(2)] };
  mesh = new Mesh({ bootstrapDelayMs: 100, quorum });
  for (const index of [0, 1]) await mesh.open(index, { storage: memoryLogStorage() });
  const witness = await mesh.open(2, { preference: 'witness' });
  return { leader: await mesh.online(3), witness };
};

test('two data voters and a witness go on without either data voter', async () => {
  const { leader, witness } = await start();
  await settled(leader.execute('a'));
  const gone = [...mesh.nodes.values()].indexOf(leader);
  expect(gone).not.toBe(2);
  await mesh.kill(gone);
  await mesh.clock.until(() => mesh.leader?.status.value.online === true);
  expect(mesh.leader).not.toBe(witness);
  await settled((mesh.leader as TextNode).execute('b'));
  expect(mesh.machines.get(meshId(1 - gone))?.applied).toEqual(['a', 'b']);
});

test('a witness has no state: it applies nothing, and neither executes nor answers', async () => {
  const { leader, witness } = await start();
  await settled(leader.execute('a'));
  await mesh.clock.advance(1000);
  expect(mesh.machines.get(meshId(2))?.applied).toEqual([]);
  expect(witness.status.value).toMatchObject({ applied: 0, committed: leader.status.value.committed });
  expect(leader.status.value.voters).toMatchObject({ witnesses: [meshId(2)], genesis: [0, 1].map(meshId) });
  await expect(witness.execute('b')).rejects.toMatchObject({ code: 'offline', commands: ['b'] });
  await expect(witness.query(undefined, { consistency: 'weak' })).rejects.toMatchObject({ code: 'offline' });
});
