import { SecretKey } from '@mosaik/transport';
import { SignedPeerEntry, UniqueId } from '@mosaik/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalVersion } from '../src/core/entry.ts';
import { signEntry, verifyEntry } from '../src/index.ts';
import { testEntry, WALL_MS } from './entries.ts';
import { testKey } from './world.ts';

function isAbove(
  a: { startMs: number; updateMs: number },
  b: { startMs: number; updateMs: number },
): boolean {
  return a.startMs > b.startMs || (a.startMs === b.startMs && a.updateMs > b.updateMs);
}

describe('LocalVersion', () => {
  it('starts at the wall clock, or above the highest version seen', () => {
    expect(new LocalVersion(1_000).next(1_000)).toEqual({ startMs: 1_000, updateMs: 1_000 });
    const later = new LocalVersion(1_000, { startMs: 5_000, updateMs: 9_000 });
    expect(later.next(1_000)).toEqual({ startMs: 5_001, updateMs: 1_000 });
  });

  it('rises with every entry, however the wall clock jumps and whatever it meets', () => {
    const walls = fc.array(
      fc.oneof(
        fc.record({ wall: fc.oneof(fc.integer({ min: -10, max: 2 ** 40 }), fc.constant(Number.NaN)) }),
        fc.record({ startMs: fc.nat(2 ** 31), updateMs: fc.nat(2 ** 31) }),
      ),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(walls, (steps) => {
        const version = new LocalVersion(0);
        let last = version.next(0);
        for (const step of steps) {
          if ('wall' in step) {
            const next = version.next(step.wall);
            expect(isAbove(next, last)).toBe(true);
            last = next;
          } else {
            version.observe(step);
            const next = version.next(0);
            expect(isAbove(next, last) && isAbove(next, step)).toBe(true);
            last = next;
          }
        }
      }),
    );
  });

  it('does not stay in the future after the wall clock was put right', () => {
    const version = new LocalVersion(1_000_000);
    version.next(900_000_000);
    const next = version.next(1_002_000);
    expect(next).toEqual({ startMs: 1_000_001, updateMs: 1_002_000 });
  });
});

describe('signEntry and verifyEntry', () => {
  it('sign and accept an entry', () => {
    expect(verifyEntry(testEntry(1))).toBe(true);
    expect(verifyEntry(SignedPeerEntry.decode(SignedPeerEntry.encode(testEntry(1))))).toBe(true);
    expect(verifyEntry(testEntry(1), { expect: testKey(1).id })).toBe(true);
  });

  it('refuse any other subject, any changed field, and a short or foreign signature', () => {
    const signed = testEntry(1);
    expect(verifyEntry(signed, { expect: testKey(2).id })).toBe(false);
    expect(verifyEntry({ ...signed, signature: signed.signature.subarray(1) })).toBe(false);
    expect(verifyEntry({ ...signed, signature: testEntry(2).signature })).toBe(false);
    const changes = [
      { departed: true },
      { addresses: [] },
      { tags: [UniqueId.from('x')] },
      { version: { startMs: WALL_MS, updateMs: WALL_MS + 1 } },
      { peerId: testKey(2).id },
    ];
    for (const change of changes) {
      expect(verifyEntry({ ...signed, entry: { ...signed.entry, ...change } })).toBe(false);
    }
  });

  it('refuse more than 16 KiB', () => {
    const tickets = Array.from({ length: 5 }, () => ({
      ticketClass: UniqueId.from('t'),
      data: new Uint8Array(4000),
    }));
    expect(() => testEntry(1, 0, { tickets })).toThrow(RangeError);
    const { entry } = testEntry(1);
    expect(verifyEntry({ entry: { ...entry, tickets }, signature: testEntry(1).signature })).toBe(false);
  });

  it('refuse what is no entry at all without throwing', () => {
    for (const junk of [{}, { entry: {} }, { entry: { peerId: 7 } }, { entry: null }, null]) {
      expect(verifyEntry(junk as unknown as SignedPeerEntry)).toBe(false);
    }
  });

  it('refuse to sign for another subject', () => {
    expect(() => signEntry(testEntry(1).entry, SecretKey.generate())).toThrow(TypeError);
  });
});
