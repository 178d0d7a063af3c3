import { GroupKey, keyValue } from '@mosaik/network';
import { afterEach, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

let cluster: Cluster;
afterEach(() => cluster.close());

const builder = async () => {
  cluster = new Cluster();
  const node = await cluster.start();
  return node.groups.withKey(GroupKey.generate()).withStateMachine(keyValue());
};

test('opened resolves once the log is open', async () => {
  const group = (await builder()).join();
  await cluster.settled(group.opened);
  expect(group.status.value.state).toBe('running');
});

test('opened rejects with why the log can not be used, and the group ends with it', async () => {
  const problem = new Error('a disk that is none');
  const group = (await builder())
    .withLogStorage({
      open: () => Promise.reject(problem),
      write: () => undefined,
      close: async () => {},
    })
    .join();
  await expect(cluster.settled(group.opened)).rejects.toBe(problem);
  expect(await cluster.settled(group.closed)).toMatchObject({ reason: 'failed', cause: problem });
});
