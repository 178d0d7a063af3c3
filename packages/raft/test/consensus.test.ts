import { assertJoinable, consensus, memoryLogStorage } from '@mosaik/raft';
import { runLogStorageSuite } from '@mosaik/raft/testing';
import type { PeerId } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { meshId, textMachine } from './support/mesh.ts';

describe('consensus()', () => {
  test('fills in the documented defaults and freezes the result', () => {
    const config = consensus();
    expect(config).toEqual({
      heartbeatIntervalMs: 500,
      heartbeatJitterMs: 150,
      maxMissedHeartbeats: 10,
      electionTimeoutMs: 2000,
      electionTimeoutJitterMs: 500,
      bootstrapDelayMs: 3000,
      forwardTimeoutMs: 2000,
      queryTimeoutMs: 2000,
      quorum: { type: 'Dynamic' },
      maxCommandBytes: 1 << 20,
      maxSessions: 4096,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('sorts voters, so that equal sets are equal groups', () => {
    const voters = [meshId(2), meshId(0)];
    expect(consensus({ quorum: { voters } }).quorum).toEqual({
      type: 'Voters',
      voters: [meshId(0), meshId(2)],
      witnesses: [],
    });
  });

  test.each([
    [{ heartbeatIntervalMs: 10_001 }, /heartbeatIntervalMs .* got 10001/],
    [{ heartbeatIntervalMs: Number.NaN }, /heartbeatIntervalMs .* got NaN/],
    [{ electionTimeoutMs: 900 }, /electionTimeoutMs .*1000.* got 900/],
    [{ heartbeatJitterMs: 500 }, /heartbeatJitterMs .* got 500/],
    [{ electionTimeoutJitterMs: 0 }, /electionTimeoutJitterMs .* got 0/],
    [{ maxCommandBytes: 9 << 20 }, /maxCommandBytes/],
    [{ quorum: { voters: [] } }, /quorum.voters .* got 0/],
    [{ quorum: { voters: ['x' as PeerId] } }, /quorum.voters .*"x"/],
    [
      { quorum: { voters: [meshId(10), meshId(0), meshId(10).toUpperCase() as PeerId] } },
      `quorum.voters lists ${meshId(10)} twice`,
    ],
    [
      { quorum: { voters: [0, 1].map(meshId), witnesses: [meshId(2), meshId(2)] } },
      `quorum.witnesses lists ${meshId(2)} twice`,
    ],
    [
      { quorum: { voters: [0, 1].map(meshId), witnesses: [meshId(1)] } },
      `quorum.voters and quorum.witnesses both list ${meshId(1)}`,
    ],
    [{ quorum: { voters: [meshId(1)], witnesses: [meshId(2)] } }, /quorum.witnesses .*two .* got 1/],
    [{ quorum: 'static' as never }, /quorum .*static/],
    [{ bootstrapDelayMs: '3' as never }, /bootstrapDelayMs .* string/],
  ])('refuses %j, naming field and value', (options, message) => {
    expect(() => consensus(options)).toThrow(message);
  });
});

describe('joining', () => {
  const machine = textMachine();
  const voters = consensus({ quorum: { voters: [meshId(0)] } });

  test.each([
    [{ preference: 'witness' as const, config: consensus() }, /witness/],
    [{ preference: 'leader' as never, config: consensus() }, /preference .*leader/],
    [{ preference: { reluctant: 0 }, config: consensus() }, /reluctant .* got 0/],
    [{ preference: 'observer' as const, config: voters }, /observer.*quorum.voters/],
    [
      {
        preference: 'normal' as const,
        config: consensus({ quorum: { voters: [meshId(1), meshId(2)], witnesses: [meshId(0)] } }),
      },
      /lists this node: it has to join with preference 'witness'/,
    ],
  ])('is refused where it cannot work: %#', (plan, message) => {
    expect(() => assertJoinable({ machine, ...plan }, meshId(0))).toThrow(message);
  });

  test('a dynamic group needs a machine that can go back', () => {
    const { reset: _, snapshot: __, ...forward } = machine;
    expect(() =>
      assertJoinable({ machine: forward, preference: 'normal', config: consensus() }, meshId(0)),
    ).toThrow(/reset/);
    expect(() =>
      assertJoinable({ machine: forward, preference: 'normal', config: voters }, meshId(0)),
    ).not.toThrow();
  });
});

describe('memoryLogStorage', () => {
  runLogStorageSuite({
    test,
    equal: (actual, expected) => expect(actual).toEqual(expected),
    async create() {
      const storage = memoryLogStorage();
      return { storage, reopen: async () => storage };
    },
  });
});
