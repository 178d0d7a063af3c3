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
/** Everybody follows one leader, which counts them all. */
const whole = (cluster: Cluster, limitMs: number) =>
  cluster.runUntil(() => {
    const [leader, ...more] = cluster.leaders;
    return (
      leader !== undefined &&
      more.length === 0 &&
      leader.core.log.members.length === cluster.nodes.length &&
      cluster.nodes.every((node) => node.core.state.leader === leader.id && node.hash === leader.hash)
    );
  }, limitMs);
/** Who gave up which commands. */
const reverted = (cluster: Cluster) =>
  cluster.nodes.flatMap((node) => (node.reverted.length > 0 ? [[node.index, node.reverted] as const] : []));
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

  test('one that took writes alone gives them up and says which; the majority it left does not notice', () => {
    const cluster = create(3, seed);
    const alone = cluster.leaders[0] as SimNode;
    part(cluster, [alone]);
    cluster.runFor(6000);
    write(cluster, alone, 'alone');
    const majority = cluster.leaders.find((node) => node !== alone) as SimNode;
    write(cluster, majority, 'together');
    cluster.healAll();
    expect(whole(cluster, 6000)).toBe(true);
    expect(reverted(cluster)).toEqual([[alone.index, ['alone']]]);
    expect(majority.core.state.role).toBe('leader');
    write(cluster, majority, 'still together');
    expect(new Set(cluster.nodes.map((node) => node.hash)).size).toBe(1);
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

  test('the leader’s half of an even split keeps its writes; what the other half wrote is given up by both (D8)', () => {
    const cluster = create(4, seed);
    const leader = cluster.leaders[0] as SimNode;
    const half = [leader, cluster.nodes.find((node) => node !== leader) as SimNode];
    part(cluster, half);
    cluster.runFor(6000);
    write(cluster, leader, 'on the trunk');
    write(cluster, cluster.leaders.find((node) => node !== leader) as SimNode, 'of the fork');
    cluster.healAll();
    expect(whole(cluster, 8000)).toBe(true);
    expect(leader.core.state.role).toBe('leader');
    const others = cluster.nodes.filter((node) => !half.includes(node));
    expect(reverted(cluster)).toEqual(others.map(({ index }) => [index, ['of the fork']]));
    expect(new Set(cluster.nodes.map((node) => node.commands))).toEqual(new Set([1]));
  });

  test('a trunk that took no write gives way to a fork that did: nothing is lost', () => {
    const cluster = create(3, seed);
    const alone = cluster.leaders[0] as SimNode;
    part(cluster, [alone]);
    cluster.runFor(6000);
    write(cluster, alone, 'alone');
    cluster.healAll();
    expect(whole(cluster, 8000)).toBe(true);
    expect(reverted(cluster)).toEqual([]);
    expect(new Set(cluster.nodes.map((node) => node.commands))).toEqual(new Set([1]));
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
    expect(whole(cluster, 6000)).toBe(true);
    expect(a.hash).toBe(b.hash);
    expect(a.commands).toBe(1);
    expect(reverted(cluster)).toHaveLength(1);
    expect(reverted(cluster)[0]?.[1]).toHaveLength(1);
  });

  test('three that founded apart and all took writes: one is left, two say what they gave up', () => {
    const cluster = new Cluster({ seed, size: 3, mode: 'dynamic', maxDelayMs: 3 });
    part(cluster, cluster.nodes.slice(0, 1));
    part(cluster, cluster.nodes.slice(0, 2));
    for (const node of cluster.nodes) cluster.start(node);
    cluster.runFor(3000);
    for (const node of cluster.nodes) write(cluster, node, `of n${node.index}`);
    cluster.healAll();
    expect(whole(cluster, 12_000)).toBe(true);
    expect(new Set(cluster.nodes.map((node) => node.hash)).size).toBe(1);
    expect(new Set(reverted(cluster).map(([index]) => index)).size).toBe(2);
    expect(new Set(cluster.nodes.map((node) => node.commands))).toEqual(new Set([1]));
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
    expect(cluster.nodes.map((node) => node.commands)).toEqual([2, 2, 2]);
    expect(reverted(cluster)).toEqual(others.map(({ index }) => [index, ['new life']]));
  });
});
