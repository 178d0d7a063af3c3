import { describe, expect, test } from 'vitest';
import type { Input } from '../../src/core/input.ts';
import type { RaftCore } from '../../src/core/raft-core.ts';
import { InvariantViolation } from './checker.ts';
import type { ClusterInit } from './cluster.ts';
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

const PLANTS: Record<string, { mode: 'voters' | 'dynamic'; expected: RegExp; from?: number; plant: Plant }> =
  {
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
    'entries are acknowledged before they are durable': {
      mode: 'voters',
      expected: /durable is/,
      plant: {
        sabotage: (core) =>
          afterInputs(core, () => {
            core.state.durable = core.log.last;
          }),
      },
    },
    'whoever forgot comes back as what it was (W32)': {
      mode: 'voters',
      from: 48,
      expected: /without the committed entry|commits another entry|failed|lost the acknowledged/,
      plant: {
        sabotage: (core, node) => {
          core.state.incarnation = BigInt(node.index) + 1n;
        },
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
  test.each(Object.entries(PLANTS))('%s', (_, { mode, expected, from = 1, plant }) => {
    const found: string[] = [];
    for (let seed = from; seed < from + 100 && found.length === 0; seed += 1) {
      try {
        runScenario({ seed, mode, maxSyncMs: 20, size: 3 + (seed % 3), ...plant });
      } catch (error) {
        if (!(error instanceof InvariantViolation)) throw error;
        found.push(`seed ${seed}: ${error.message}`);
      }
    }
    expect(found[0]).toMatch(expected);
  });
});
