import { describe, expect, test } from 'vitest';
import { Cluster, type SimNode } from './cluster.ts';

const create = (size: number, seed: number) => {
  const cluster = new Cluster({ seed, size, mode: 'dynamic', maxDelayMs: 3 });
  for (const node of cluster.nodes) cluster.start(node);
  expect(cluster.runUntil(() => cluster.leaders[0]?.core.log.members.length === size, 8000)).toBe(true);
  cluster.runFor(1000);
  return cluster;
};

const part = (cluster: Cluster, inside: readonly SimNode[]) => {
  for (const a of inside) for (const b of cluster.nodes) if (!inside.includes(b)) cluster.cut(a, b);
};

/** One write on the side of `node`, which must be acknowledged. */
const write = (cluster: Cluster, node: SimNode, value: string) => {
  const before = cluster.acked;
  cluster.propose(node, [value]);
  cluster.runFor(300);
  expect(cluster.acked, `${value}\n${cluster.describe()}`).toBe(before + 1);
};

const sides = (cluster: Cluster) =>
  new Set(cluster.nodes.filter((node) => !node.core.state.stopped).map((node) => node.core.log.side?.nonce));
const stopped = (cluster: Cluster) => cluster.nodes.filter((node) => node.core.state.stopped);

describe.each([1, 2, 3, 4, 5])('a network that splits and heals, seed %i', (seed) => {
  test('a leader cut off alone founds a side of its own and, having taken no write, comes back (S3, W3)', () => {
    const cluster = create(3, seed);
    const alone = cluster.leaders[0] as SimNode;
    const others = cluster.nodes.filter((node) => node !== alone);
    write(cluster, alone, 'before');
    part(cluster, [alone]);
    cluster.runFor(6000);
    expect(alone.core.state.role).toBe('leader');
    const majority = cluster.leaders.find((node) => node !== alone) as SimNode;
    write(cluster, majority, 'of the majority');
    const kept = majority.core.log.last;
    cluster.healAll();
    cluster.runFor(6000);
    expect(stopped(cluster)).toEqual([]);
    expect(sides(cluster).size).toBe(1);
    for (const node of others) expect(node.core.log.last).toBeGreaterThanOrEqual(kept);
    expect(new Set(cluster.nodes.map((node) => node.hash)).size).toBe(1);
    for (const node of cluster.nodes) cluster.checker.checkAcked(node);
  });

  test('one that took writes alone stops and says so; the majority it left does not notice', () => {
    const cluster = create(3, seed);
    const alone = cluster.leaders[0] as SimNode;
    part(cluster, [alone]);
    cluster.runFor(6000);
    write(cluster, alone, 'alone');
    const majority = cluster.leaders.find((node) => node !== alone) as SimNode;
    write(cluster, majority, 'together');
    cluster.healAll();
    cluster.runFor(6000);
    expect(stopped(cluster)).toEqual([alone]);
    expect(alone.core.state).toMatchObject({
      stopped: 'diverged',
      problem: expect.stringMatching(/conflicts/),
    });
    expect(majority.core.state.role).toBe('leader');
    write(cluster, majority, 'still together');
  });

  test('the leader’s half of an even split stays the trunk and stays writable; the other half gives way', () => {
    const cluster = create(4, seed);
    const leader = cluster.leaders[0] as SimNode;
    const half = [leader, cluster.nodes.find((node) => node !== leader) as SimNode];
    part(cluster, half);
    cluster.runFor(6000);
    expect(leader.core.state.role).toBe('leader');
    write(cluster, leader, 'on the trunk');
    expect(cluster.leaders).toHaveLength(2);
    cluster.healAll();
    cluster.runFor(8000);
    expect(stopped(cluster)).toEqual([]);
    expect(cluster.leaders).toEqual([leader]);
    expect(leader.core.log.members).toHaveLength(4);
    for (const node of cluster.nodes) cluster.checker.checkAcked(node);
  });

  test('two that founded apart and both took writes are never taken for equal (S10, W6)', () => {
    const cluster = new Cluster({ seed, size: 2, mode: 'dynamic', maxDelayMs: 3 });
    const [a, b] = cluster.nodes as [SimNode, SimNode];
    cluster.cut(a, b);
    for (const node of cluster.nodes) cluster.start(node);
    cluster.runFor(3000);
    write(cluster, a, 'of a');
    write(cluster, b, 'of b');
    cluster.healAll();
    cluster.runFor(5000);
    expect(stopped(cluster)).toHaveLength(1);
    const [stays] = cluster.leaders as [SimNode];
    expect(stays.commands).toBe(1);
    cluster.crash(stopped(cluster)[0] as SimNode, false);
    for (const node of cluster.nodes) cluster.start(node);
    cluster.runFor(5000);
    expect(a.hash).toBe(b.hash);
    expect(a.commands).toBe(1);
  });

  test('members that forgot everything do not outvote one that remembers', () => {
    const cluster = create(3, seed);
    const [keeper, ...others] = cluster.nodes as [SimNode, SimNode, SimNode];
    write(cluster, cluster.leaders[0] as SimNode, 'remembered');
    part(cluster, [keeper]);
    for (const node of others) cluster.crash(node, false);
    cluster.runFor(5000);
    for (const node of others) cluster.start(node);
    cluster.runFor(5000);
    expect(cluster.leaders).toHaveLength(2);
    write(cluster, cluster.leaders.find((node) => node !== keeper) as SimNode, 'new life');
    write(cluster, keeper, 'old life');
    cluster.healAll();
    cluster.runFor(6000);
    expect(keeper.core.state.stopped).toBeUndefined();
    expect(keeper.commands).toBe(2);
  });
});
