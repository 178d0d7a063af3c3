import { expect, test } from 'vitest';
import { Cluster, type SimNode } from './cluster.ts';

test('what a process that stands still is told comes in order, though it stands still for longer than it first was to', () => {
  const cluster = new Cluster({ seed: 1, size: 1, mode: 'voters' });
  const [node] = cluster.nodes as [SimNode];
  cluster.start(node);
  const told: string[] = [];
  node.pausedUntilMs = 100;
  cluster.whenRunning(node, () => told.push('a bond is lost'));
  node.pausedUntilMs = 200;
  cluster.whenRunning(node, () => told.push('it is there again'));
  cluster.runFor(150);
  expect(told).toEqual([]);
  cluster.runFor(100);
  expect(told).toEqual(['a bond is lost', 'it is there again']);
});

test('what it was told in another life is dropped', () => {
  const cluster = new Cluster({ seed: 1, size: 1, mode: 'voters' });
  const [node] = cluster.nodes as [SimNode];
  cluster.start(node);
  let told = false;
  node.pausedUntilMs = 100;
  cluster.whenRunning(node, () => {
    told = true;
  });
  cluster.crash(node, true);
  cluster.start(node);
  cluster.runFor(200);
  expect(told).toBe(false);
});
