import { describe, expect, test } from 'vitest';
import type { Input } from '../../src/core/input.ts';
import type { RaftCore } from '../../src/core/raft-core.ts';
import { InvariantViolation } from './checker.ts';
import { Cluster, type ClusterInit, type SimNode } from './cluster.ts';
import { runScenario } from './scenario.ts';

/** Runs `then` after every input, which is where a planted bug puts its hand in. */
function afterInputs(core: RaftCore, then: (input: Input, nowMs: number) => void): void {
  const handle = core.handle.bind(core);
  core.handle = (input, nowMs) => {
    handle(input, nowMs);
    then(input, nowMs);
  };
}

type Plant = Pick<ClusterInit, 'sabotage' | 'mangle'>;

const PLANTS: Record<string, { mode: 'voters' | 'dynamic'; expected: RegExp; plant: Plant }> = {
  'entries of older epochs are committed by counting (§5.4.2)': {
    mode: 'voters',
    expected: /by count across epochs/,
    plant: {
      sabotage: (core) =>
        afterInputs(core, () => {
          const { leadership } = core.state;
          if (leadership) (leadership as { openingIndex: number }).openingIndex = 0;
        }),
    },
  },
  'a vote is given before it is durable (§5.2)': {
    mode: 'voters',
    expected: /before its vote is durable|second leader|votes twice/,
    plant: {
      mangle: (effects) =>
        effects.map((effect) => {
          if (effect.type !== 'persist' || !effect.write.hardState?.vote) return effect;
          const { vote: _, ...hardState } = effect.write.hardState;
          return { ...effect, write: { ...effect.write, hardState } };
        }),
    },
  },
  'the set is changed before its last change is committed': {
    mode: 'voters',
    expected: /changes the set at \d+; \d+ is not committed/,
    plant: {
      sabotage: (core) => Object.defineProperty(core.log, 'membersIndex', { get: () => 0 }),
    },
  },
  'entries are acknowledged before they are durable': {
    mode: 'voters',
    expected: /durable is/,
    plant: {
      sabotage: (core) => Object.defineProperty(core.state, 'durable', { get: () => core.log.last }),
    },
  },
  'a strong read asks nobody (etcd #741)': {
    mode: 'voters',
    expected: /answers a strong read/,
    plant: {
      sabotage: (core) => {
        const handle = core.handle.bind(core);
        core.handle = (input, nowMs) => {
          if (input.type !== 'read') handle(input, nowMs);
          else core.state.emit({ type: 'read-ready', first: input.first, count: input.count });
        };
      },
    },
  },
  'what is given up is not told (D8)': {
    mode: 'dynamic',
    expected: /does not say so/,
    plant: {
      mangle: (effects) =>
        effects.map((effect) => (effect.type === 'revert' ? { ...effect, lost: [] } : effect)),
    },
  },
  'the machine is not taken back (D8)': {
    mode: 'dynamic',
    expected: /no agreement|appl(ies|ied)|others were at/,
    plant: { mangle: (effects) => effects.filter(({ type }) => type !== 'restore') },
  },
  'terms are compared across sides (D2)': {
    mode: 'dynamic',
    expected: /.+/,
    plant: {
      sabotage: (core) => {
        Object.defineProperty(core.state, 'side', { get: () => undefined });
      },
    },
  },
};

describe('the detector detects', () => {
  test.each(Object.entries(PLANTS))('%s', (_, { mode, expected, plant }) => {
    const found: string[] = [];
    for (let seed = 1; seed <= 100 && found.length === 0; seed += 1) {
      try {
        runScenario({ seed, mode, maxSyncMs: 20, size: 3 + (seed % 3), ...plant });
      } catch (error) {
        if (!(error instanceof InvariantViolation)) throw error;
        found.push(`seed ${seed}: ${error.message}`);
      }
    }
    expect(found[0]).toMatch(expected);
  });

  test('sides do not know which was forced out of which (D6)', () => {
    const play = (seed: number, sabotage?: ClusterInit['sabotage']) => {
      const cluster = new Cluster({ seed, size: 4, mode: 'dynamic', maxDelayMs: 3, sabotage });
      for (const node of cluster.nodes) cluster.start(node);
      cluster.runFor(4000);
      const leader = cluster.leaders[0] as SimNode;
      const half = [leader, cluster.nodes.find((node) => node !== leader) as SimNode];
      for (const a of half) for (const b of cluster.nodes) if (!half.includes(b)) cluster.cut(a, b);
      cluster.runFor(6000);
      const fork = cluster.leaders.find((node) => node !== leader) as SimNode;
      cluster.propose(leader, ['trunk']);
      for (let i = 0; i < 9; i += 1) cluster.propose(fork, [`fork ${i}`]);
      cluster.runFor(300);
      cluster.healAll();
      cluster.runFor(6000);
      return cluster.nodes.map((node) => node.commands);
    };
    const hide: ClusterInit['sabotage'] = ({ log }) => {
      const sides = log.sides.bind(log);
      log.sides = () => sides().slice(0, 1);
      log.formerMembers = () => [];
    };
    const seeds = Array.from({ length: 10 }, (_, seed) => seed);
    for (const seed of seeds) expect(play(seed)).toEqual([1, 1, 1, 1]);
    expect(() => {
      for (const seed of seeds) play(seed, hide);
    }).toThrow(/on a trunk, for a fork of it/);
  });

  test('whoever forgot comes back as what it was (W32; etcd-io/raft #349)', () => {
    const play = (amnesiac: boolean) => {
      const cluster = new Cluster({
        seed: 5,
        size: 3,
        mode: 'voters',
        sabotage: (core, node) => {
          if (amnesiac) core.state.incarnation = BigInt(node.index) + 1n;
        },
      });
      for (const node of cluster.nodes) cluster.start(node);
      cluster.runFor(3000);
      const leader = cluster.leaders[0] as SimNode;
      const [forgetful, behind] = cluster.nodes.filter((node) => node !== leader) as [SimNode, SimNode];
      cluster.cut(leader, behind);
      cluster.cut(forgetful, behind);
      cluster.propose(leader, ['held by two']);
      cluster.runFor(300);
      cluster.crash(forgetful, false);
      cluster.cut(leader, forgetful);
      cluster.start(forgetful);
      cluster.heal(forgetful, behind);
      cluster.runFor(10_000);
      return cluster.acked;
    };
    expect(play(false)).toBe(1);
    expect(() => play(true)).toThrow(/leads without the committed entry/);
  });
});
