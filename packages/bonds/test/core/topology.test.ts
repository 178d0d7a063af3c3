import { type PeerId, UniqueId } from '@mosaik/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveEdges } from '../../src/core/topology.ts';

const peers = ['a', 'b', 'c', 'd', 'e'].map((name) => UniqueId.from<PeerId>(name)).sort();
const [self, p, q, r] = peers as [PeerId, PeerId, PeerId, PeerId];
const edges = (announced: Record<PeerId, PeerId[]>) =>
  deriveEdges(self, new Map(Object.entries(announced).map(([k, v]) => [k as PeerId, new Set(v)]))).map((e) =>
    e.join(),
  );

describe('the topology (protocol: Bond, steady state)', () => {
  it('has every own bond', () => {
    expect(edges({ [p]: [], [q]: [self] })).toEqual([`${self},${p}`, `${self},${q}`]);
  });

  it('has an edge between two bonded peers only when both announce it', () => {
    expect(edges({ [p]: [q], [q]: [] })).not.toContain(`${p},${q}`);
    expect(edges({ [p]: [], [q]: [p] })).not.toContain(`${p},${q}`);
    expect(edges({ [p]: [q], [q]: [p] })).toContain(`${p},${q}`);
  });

  it('takes the word of the one end that is bonded about the other', () => {
    expect(edges({ [q]: [r] })).toEqual([`${self},${q}`, `${q},${r}`]);
  });

  it('agrees with its definition, each edge once and in order', () => {
    const others = peers.slice(1);
    const announcements = fc.dictionary(
      fc.constantFrom(...others),
      fc.uniqueArray(fc.constantFrom(...peers)),
    );
    fc.assert(
      fc.property(announcements, (raw) => {
        const map = new Map(
          Object.entries(raw).map(([k, v]) => [k as PeerId, new Set(v.filter((x) => x !== k))]),
        );
        const expected: string[] = [];
        for (const a of peers)
          for (const b of peers) {
            if (a >= b) continue;
            const ends = [a, b].filter((end) => map.has(end));
            const own = a === self || b === self ? ends.length === 1 : ends.length > 0;
            const said = ends.every((end) => map.get(end)?.has(end === a ? b : a));
            if (own && (a === self || b === self || said)) expected.push(`${a},${b}`);
          }
        expect(deriveEdges(self, map).map((edge) => edge.join())).toEqual(expected);
      }),
    );
  });
});
