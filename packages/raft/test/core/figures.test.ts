import { describe, expect, test } from 'vitest';
import { Cluster, peerId } from '../simulation/cluster.ts';
import { command, epochOf } from './harness.ts';

/** One digit per entry: its term. */
const FIGURE_7 = {
  leader: '1114455666',
  a: '111445566',
  b: '1114',
  c: '11144556666',
  d: '111445566677',
  e: '1114444',
  f: '11122233333',
};

/** A log of those terms, after the opening of the group. */
function fill(cluster: Cluster, index: number, terms: string): void {
  const node = cluster.nodes[index];
  if (!node) throw new Error(`no node ${index}`);
  const members = cluster.nodes.map((other) => ({ peer: other.id, incarnation: 500n + BigInt(other.index) }));
  node.store.log.append(epochOf(1, 0), [{ type: 'Opening', forced: false, members, learners: [] }]);
  for (const [at, digit] of [...terms].entries())
    node.store.log.append(epochOf(Number(digit), 0), [command(`${digit}.${at}`)]);
  node.store.hardState = { incarnation: 500n + BigInt(index), term: 7 };
}

describe('the figures of the Raft paper', () => {
  test.each([1, 2, 3, 4, 5])('7: a leader of term 8 makes all followers’ logs its own, seed %i', (seed) => {
    const logs = Object.values(FIGURE_7);
    const options = { bootstrapDelayMs: 0 };
    const cluster = new Cluster({ seed, size: logs.length, mode: 'voters', maxDelayMs: 3, options });
    for (const [index, terms] of logs.entries()) fill(cluster, index, terms);
    for (const node of cluster.nodes) {
      cluster.start(node);
      if (node.index > 0) node.core.state.electionDeadlineMs = 10_000;
    }
    const leader = cluster.nodes[0] as (typeof cluster.nodes)[0];
    expect(cluster.runUntil(() => leader.core.state.role === 'leader', 9000)).toBe(true);
    expect(leader.core.state.term).toBeGreaterThanOrEqual(8);
    cluster.runFor(2000);
    for (const node of cluster.nodes) {
      expect(node.core.state.leader).toBe(peerId(0));
      expect(node.core.log.last).toBe(leader.core.log.last);
      for (let index = 1; index <= leader.core.log.last; index += 1) {
        expect(node.core.log.epochAt(index), `n${node.index} at ${index}`).toEqual(
          leader.core.log.epochAt(index),
        );
      }
      expect(node.core.state.commit).toBe(leader.core.log.last);
    }
  });
});
