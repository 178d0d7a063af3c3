import { type PeerId, UniqueId } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { MIN_SESSIONS, SessionTable } from '../../src/sessions/session-table.ts';

const peer = (n: number) => n.toString(16).padStart(64, '0') as PeerId;

describe('the session table (consensus, "Exactly once")', () => {
  test('a sequence of a session is admitted once', () => {
    const table = new SessionTable(4);
    table.open(7, peer(1), 5n);
    expect(table.idOf(peer(1), 5n)).toBe(7);
    expect([table.admit(7, 1, 0), table.admit(7, 1, 0), table.admit(7, 2, 1)]).toEqual([true, false, true]);
  });

  test('what its origin has its answer to is not admitted any more', () => {
    const table = new SessionTable(4);
    table.open(7, peer(1), 5n);
    table.admit(7, 9, 0);
    expect(table.admit(7, 3, 0)).toBe(false);
  });

  test('a command of an absent session is not admitted', () => {
    expect(new SessionTable(4).admit(7, 1, 0)).toBe(false);
  });

  test('asking twice for the session of one life changes nothing', () => {
    const table = new SessionTable(4);
    table.open(7, peer(1), 5n);
    table.admit(7, 1, 0);
    table.open(9, peer(1), 5n);
    expect(table.idOf(peer(1), 5n)).toBe(7);
    expect(table.admit(7, 1, 0)).toBe(false);
    expect(table.admit(9, 1, 0)).toBe(false);
  });

  test('the next life of an origin ends the session of the one before', () => {
    const table = new SessionTable(4);
    table.open(7, peer(1), 5n);
    table.open(9, peer(1), 6n);
    expect(table.idOf(peer(1), 5n)).toBe(0);
    expect([table.admit(7, 1, 0), table.admit(9, 1, 0)]).toEqual([false, true]);
  });

  test('above the cap the oldest session goes', () => {
    const table = new SessionTable(1);
    for (let n = 1; n <= MIN_SESSIONS + 1; n += 1) table.open(n, peer(n), 1n);
    expect([1, 2, MIN_SESSIONS + 1].map((n) => table.admit(n, 1, 0))).toEqual([false, true, true]);
    // Opened again it has another name: what was sent under the old one stays out.
    table.open(100, peer(1), 1n);
    expect([1, 2, 3, 100].map((n) => table.admit(n, 2, 0))).toEqual([false, false, true, true]);
  });

  test('openings that nothing was applied after can be taken back', () => {
    const table = new SessionTable(2);
    for (let n = 1; n <= MIN_SESSIONS; n += 1) table.open(n, peer(n), 1n);
    table.admit(2, 1, 0);
    const before = table.encode();
    table.open(104, peer(103), 1n);
    table.open(105, peer(2), 2n);
    table.open(106, peer(104), 1n);
    table.closeAfter(103);
    expect(table.encode()).toEqual(before);
    expect([1, 2, 104].map((n) => table.admit(n, 1, 0))).toEqual([true, false, false]);
  });

  test('the rest of a run goes the way of its first command', () => {
    const table = new SessionTable(2);
    table.open(1, peer(1), 1n);
    expect([table.admit(1, 1, 0), table.admit(0, 0, 0)]).toEqual([true, true]);
    const other = new SessionTable(2);
    other.restore(table.encode());
    expect(other.admit(0, 0, 0)).toBe(true);
    expect([table.admit(1, 1, 0), table.admit(0, 0, 0)]).toEqual([false, false]);
  });

  test('keys are remembered up to the cap, oldest first', () => {
    const table = new SessionTable(2);
    const keys = ['a', 'b', 'c'].map((text) => UniqueId.from(text));
    for (const [index, key] of keys.entries())
      table.remember(key, { digest: key, index, output: Uint8Array.of(index) });
    expect(keys.map((key) => table.keyed(key)?.index)).toEqual([undefined, 1, 2]);
  });

  test('says what was applied, not what its origin gave up, and nothing of sessions that are gone', () => {
    const table = new SessionTable(4);
    const owner = { origin: peer(1), incarnation: 5n };
    table.open(7, owner.origin, owner.incarnation);
    expect(table.ownerOf(7)).toMatchObject(owner);
    table.admit(7, 2, 0);
    table.admit(7, 4, 0);
    expect([2, 3, 4, 5].map((sequence) => table.wasApplied({ owner, sequence }))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(table.has(7, 3)).toBe(true);
    table.open(9, owner.origin, 6n);
    expect(table.wasApplied({ owner, sequence: 2 })).toBeUndefined();
    expect(table.ownerOf(7)).toBeUndefined();
  });

  test('says what a key stands for, unless it may have been forgotten', () => {
    const table = new SessionTable(2);
    const [key, other, digest] = ['k', 'l', 'd'].map((text) => UniqueId.from<UniqueId>(text)) as [
      UniqueId,
      UniqueId,
      UniqueId,
    ];
    table.remember(key, { digest, index: 3, output: undefined });
    expect(table.wasApplied({ key, digest })).toBe(true);
    expect(table.wasApplied({ key, digest: other })).toBe(false);
    expect(table.wasApplied({ key: other, digest })).toBe(false);
    for (const text of ['a', 'b'])
      table.remember(UniqueId.from(text), { digest, index: 4, output: undefined });
    expect(table.wasApplied({ key, digest })).toBeUndefined();
  });

  test('comes back from its bytes, which are equal for equal tables', () => {
    const table = new SessionTable(4);
    table.open(7, peer(1), 5n);
    for (const sequence of [1, 2, 5, 6, 9]) table.admit(7, sequence, sequence - 1);
    table.remember(UniqueId.from('k'), { digest: UniqueId.from('d'), index: 8, output: Uint8Array.of(1) });
    table.remember(UniqueId.from('l'), { digest: UniqueId.from('e'), index: 9, output: undefined });
    const other = new SessionTable(4);
    other.open(1, peer(9), 1n);
    other.restore(table.encode());
    expect(other.encode()).toEqual(table.encode());
    expect(other.idOf(peer(9), 1n)).toBe(0);
    expect([3, 5].map((sequence) => other.admit(7, sequence, sequence - 1))).toEqual([true, false]);
    expect(other.keyed(UniqueId.from('k'))).toMatchObject({ index: 8, output: Uint8Array.of(1) });
    other.restore(new Uint8Array());
    expect(other.encode()).toEqual(new SessionTable(4).encode());
  });
});
