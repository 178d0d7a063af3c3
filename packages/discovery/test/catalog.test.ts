import { type NetworkId, SignedPeerEntry, UniqueId } from '@mosaik/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Catalog, type CatalogInit, type InsertOptions } from '../src/core/catalog.ts';
import { verifyEntry } from '../src/index.ts';
import { testEntry, WALL_MS } from './entries.ts';
import { NETWORK, testKey } from './world.ts';

const PURGE_MS = 300_000;

function createCatalog(init: Partial<CatalogInit> = {}): Catalog {
  return new Catalog({
    localId: testKey(0).id,
    networkId: NETWORK,
    verify: verifyEntry,
    maxSize: 4,
    purgeAfterMs: PURGE_MS,
    maxTimeDriftMs: 50_000,
    ...init,
  });
}

function at(nowMs: number, fromSubject = false): InsertOptions {
  return { nowMs, wallMs: WALL_MS + nowMs, fromSubject };
}

describe('Catalog.insert', () => {
  it('takes the higher version and refuses the same and every lower one', () => {
    const catalog = createCatalog();
    expect(catalog.insert(testEntry(1, 5), at(0)).type).toBe('accepted');
    expect(catalog.insert(testEntry(1, 5), at(0)).type).toBe('stale');
    expect(catalog.insert(testEntry(1, 4), at(0)).type).toBe('stale');
    expect(catalog.insert(testEntry(1, 6), at(0)).type).toBe('accepted');
    expect(catalog.entry(testKey(1).id)).toEqual(testEntry(1, 6));
  });

  it('ends with the highest version of each peer, whatever the order of arrival', () => {
    const arrivals = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 9 })));
    fc.assert(
      fc.property(arrivals, (list) => {
        const catalog = createCatalog({ verify: () => true });
        const highest = new Map<number, number>();
        for (const [peer, version] of list) {
          const verdict = catalog.insert(testEntry(peer, version), at(0));
          expect(verdict.type === 'accepted').toBe(version > (highest.get(peer) ?? -1));
          highest.set(peer, Math.max(version, highest.get(peer) ?? -1));
        }
        for (const [peer, version] of highest) {
          expect(catalog.entry(testKey(peer).id)?.entry.version.updateMs).toBe(WALL_MS + version);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps a copy, so that the frame an entry came in can go', () => {
    const catalog = createCatalog();
    const frame = Uint8Array.from([...SignedPeerEntry.encode(testEntry(1))]);
    const decoded = SignedPeerEntry.decode(frame);
    catalog.insert(decoded, at(0));
    frame.fill(0);
    expect(catalog.entry(testKey(1).id)).toEqual(testEntry(1));
  });

  it('refuses another network, a wrong signature, and its own id', () => {
    const catalog = createCatalog();
    const foreign = testEntry(1, 0, { networkId: UniqueId.from<NetworkId>('another') });
    expect(catalog.insert(foreign, at(0)).type).toBe('different-network');
    const forged = { ...testEntry(1), signature: new Uint8Array(64) };
    expect(catalog.insert(forged, at(0)).type).toBe('invalid');
    const renamed = {
      entry: { ...testEntry(1).entry, peerId: testKey(2).id },
      signature: testEntry(1).signature,
    };
    expect(catalog.insert(renamed, at(0)).type).toBe('invalid');
    expect(catalog.insert(testEntry(0), at(0)).type).toBe('own');
    expect(catalog.size).toBe(0);
  });

  it('refuses versions too far in the future from third parties only (drift, future only)', () => {
    const catalog = createCatalog();
    expect(catalog.insert(testEntry(1, 50_001), at(0)).type).toBe('drift');
    expect(catalog.insert(testEntry(1, 50_000), at(0)).type).toBe('accepted');
    expect(catalog.insert(testEntry(2, 10_000_000), at(0, true)).type).toBe('accepted');
    expect(catalog.insert(testEntry(3, -10_000_000_000), at(0)).type).toBe('accepted');
  });

  it('takes an entry that a trusted peer vouches for whatever its clock says, without having met its subject', () => {
    const catalog = createCatalog();
    const verdict = catalog.insert(testEntry(1, 10_000_000), { ...at(0), vouched: true });
    expect(verdict.type).toBe('accepted');
    expect(catalog.isContacted(testKey(1).id)).toBe(false);
  });

  it('verifies nothing that it would refuse anyway', () => {
    let verified = 0;
    const catalog = createCatalog({
      verify: () => {
        verified += 1;
        return true;
      },
    });
    catalog.insert(testEntry(1, 1), at(0));
    catalog.insert(testEntry(1, 1), at(0));
    catalog.insert(testEntry(2, 99_000), at(0));
    expect(verified).toBe(1);
  });
});

describe('the size of a catalog', () => {
  it('lets the longest silent peer that was never contacted leave first', () => {
    const catalog = createCatalog();
    catalog.insert(testEntry(1), at(0, true));
    catalog.insert(testEntry(2), at(1));
    catalog.insert(testEntry(3), at(2));
    catalog.insert(testEntry(4), at(3));
    const verdict = catalog.insert(testEntry(5), at(4));
    expect(verdict).toMatchObject({ type: 'accepted', evicted: testEntry(2) });
    expect(catalog.size).toBe(4);
    expect(catalog.entry(testKey(1).id)).toBeDefined();
  });

  it('never lets hearsay displace a peer that was contacted', () => {
    const catalog = createCatalog();
    for (const peer of [1, 2, 3, 4]) catalog.insert(testEntry(peer), at(peer, true));
    expect(catalog.insert(testEntry(5), at(5)).type).toBe('full');
    expect(catalog.insert(testEntry(6), at(6, true))).toMatchObject({
      type: 'accepted',
      evicted: testEntry(1),
    });
  });

  it('lets nobody leave for an entry with a wrong signature', () => {
    const catalog = createCatalog();
    for (const peer of [1, 2, 3, 4]) catalog.insert(testEntry(peer), at(peer));
    expect(catalog.insert({ ...testEntry(5), signature: new Uint8Array(64) }, at(5)).type).toBe('invalid');
    expect([...catalog.entries()]).toHaveLength(4);
  });
});

describe('Catalog.purge', () => {
  it('forgets a peer that was silent for the whole time, and no other', () => {
    const catalog = createCatalog();
    catalog.insert(testEntry(1), at(0));
    catalog.insert(testEntry(2), at(1));
    catalog.insert(testEntry(1, 1), at(1_000));
    expect(catalog.purge(PURGE_MS)).toEqual([]);
    expect(catalog.purge(PURGE_MS + 1)).toEqual([testEntry(2)]);
    expect(catalog.entry(testKey(2).id)).toBeUndefined();
  });

  it('takes word from the peer itself for a sign of life', () => {
    const catalog = createCatalog();
    catalog.insert(testEntry(1), at(0));
    catalog.contact(testKey(1).id, 200_000);
    expect(catalog.purge(PURGE_MS + 1)).toEqual([]);
  });

  it('remembers the version for twice that time: a replay is refused, a newer version is not', () => {
    const catalog = createCatalog();
    catalog.insert(testEntry(1, 7), at(0));
    catalog.purge(PURGE_MS);
    expect(catalog.insert(testEntry(1, 7), at(PURGE_MS)).type).toBe('stale');
    expect(catalog.lacks(testEntry(1, 7).entry)).toBe(false);
    expect(catalog.insert(testEntry(1, 8), at(PURGE_MS))).toMatchObject({
      type: 'accepted',
      previous: undefined,
    });

    catalog.purge(2 * PURGE_MS);
    catalog.purge(4 * PURGE_MS - 1);
    expect(catalog.insert(testEntry(1, 8), at(4 * PURGE_MS - 1)).type).toBe('stale');
    catalog.purge(4 * PURGE_MS);
    expect(catalog.insert(testEntry(1, 8), at(4 * PURGE_MS)).type).toBe('accepted');
  });

  it('shows a purged peer its own last entry, and nobody else', () => {
    const catalog = createCatalog();
    catalog.insert(testEntry(1, 7), at(0));
    catalog.purge(PURGE_MS);
    const { id } = testKey(1);
    expect(catalog.digest()).toEqual([]);
    expect(catalog.digest(id)).toEqual([{ peerId: id, version: testEntry(1, 7).entry.version }]);
    expect(catalog.entryFor(id, id)).toEqual(testEntry(1, 7));
    expect(catalog.entryFor(testKey(2).id, id)).toBeUndefined();
  });

  it('keeps no more tombstones than entries, the newest', () => {
    const catalog = createCatalog();
    for (const peer of [1, 2, 3, 4]) catalog.insert(testEntry(peer), at(0));
    expect(catalog.purge(PURGE_MS)).toHaveLength(4);
    for (const peer of [5, 6]) catalog.insert(testEntry(peer), at(PURGE_MS));
    expect(catalog.purge(2 * PURGE_MS)).toHaveLength(2);
    const buried = [1, 2, 3, 4, 5, 6].filter((peer) => catalog.digest(testKey(peer).id).length > 0);
    expect(buried).toEqual([3, 4, 5, 6]);
  });

  it('is not moved by the wall clock', () => {
    const catalog = createCatalog();
    catalog.insert(testEntry(1), { nowMs: 0, wallMs: WALL_MS + 10 ** 12, fromSubject: false });
    expect(catalog.purge(PURGE_MS - 1)).toEqual([]);
  });
});
