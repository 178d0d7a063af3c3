import { type BondId, type BondMessage, CloseCode, type PeerId, UniqueId } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { BondCore, type BondCoreInit } from '../../src/core/bond.ts';

const PEER = UniqueId.from<PeerId>('peer');
const OTHER = UniqueId.from<PeerId>('other');
const bondIdOf = (a: PeerId, b: PeerId) => UniqueId.from<BondId>([a, b].sort().join());
const rng = { ...seededRng(1), float: () => 0 };

function core(overrides: Partial<BondCoreInit> = {}): BondCore {
  const bond = new BondCore(
    {
      peer: PEER,
      bondIdOf,
      intervalMs: 500,
      jitterMs: 0,
      maxMissed: 3,
      rng,
      ...overrides,
    },
    0,
  );
  expect(bond.drain()).toEqual([{ type: 'admit', run: 1 }]);
  return bond;
}

function after(bond: BondCore, message: Exclude<BondMessage, { type: 'Raft' }>, nowMs = 1) {
  bond.handle({ type: 'message', message }, nowMs);
  return bond.drain();
}

describe('a bond in its steady state', () => {
  it('answers each Ping with a Pong, and a Pong with nothing', () => {
    const bond = core();
    expect(after(bond, { type: 'Ping' })).toEqual([{ type: 'send', message: { type: 'Pong' } }]);
    expect(after(bond, { type: 'Pong' })).toEqual([]);
  });

  it('pings when idle and closes with Timeout at the threshold', () => {
    const bond = core();
    const seen: string[] = [];
    for (let dueMs = bond.nextDeadlineMs(); dueMs !== undefined; dueMs = bond.nextDeadlineMs()) {
      bond.handle({ type: 'tick' }, dueMs);
      for (const effect of bond.drain())
        seen.push(effect.type === 'close' ? String(effect.code) : effect.type);
    }
    expect(seen).toEqual(['send', 'send', 'send', String(CloseCode.Timeout)]);
  });

  it('does not ping while other frames are written, and stays alive by any activity', () => {
    const bond = core();
    for (let nowMs = 100; nowMs <= 10_000; nowMs += 100) {
      bond.handle({ type: 'written' }, nowMs);
      bond.handle({ type: 'activity' }, nowMs);
      if ((bond.nextDeadlineMs() ?? 0) <= nowMs) bond.handle({ type: 'tick' }, nowMs);
    }
    expect(bond.drain()).toEqual([]);
  });

  it('ends at once on Departure, and says so', () => {
    const bond = core();
    expect(after(bond, { type: 'Departure' })).toMatchObject([{ type: 'close', code: 204, departed: true }]);
    expect(after(bond, { type: 'Ping' })).toEqual([]);
    expect(bond.nextDeadlineMs()).toBeUndefined();
  });

  it('tells each announced bond once, and its id is computed once', () => {
    let computed = 0;
    const bond = core({
      bondIdOf: (a, b) => {
        computed += 1;
        return bondIdOf(a, b);
      },
    });
    const value: [BondId, PeerId] = [bondIdOf(PEER, OTHER), OTHER];
    expect(after(bond, { type: 'BondFormed', value })).toEqual([
      { type: 'announced', peer: OTHER, formed: true },
    ]);
    expect(after(bond, { type: 'BondFormed', value })).toEqual([]);
    expect(after(bond, { type: 'BondLost', value })).toEqual([
      { type: 'announced', peer: OTHER, formed: false },
    ]);
    expect(computed).toBe(1);
    expect(after(bond, { type: 'BondLost', value })).toEqual([]);
  });

  it('refuses announcements under a foreign id, of a bond with itself, and without end', () => {
    const violation = [{ type: 'close', code: CloseCode.ProtocolViolation, departed: false }];
    expect(after(core(), { type: 'BondFormed', value: [bondIdOf(OTHER, OTHER), OTHER] })).toMatchObject(
      violation,
    );
    expect(after(core(), { type: 'BondFormed', value: [bondIdOf(PEER, PEER), PEER] })).toMatchObject(
      violation,
    );
    const formed = core();
    after(formed, { type: 'BondFormed', value: [bondIdOf(PEER, OTHER), OTHER] });
    expect(after(formed, { type: 'BondLost', value: [bondIdOf(PEER, PEER), OTHER] })).toMatchObject(
      violation,
    );
    const bond = core();
    for (let i = 0; i < 1024; i += 1) {
      const peer = UniqueId.from<PeerId>(`peer ${i}`);
      expect(after(bond, { type: 'BondFormed', value: [bondIdOf(PEER, peer), peer] })).toHaveLength(1);
    }
    expect(after(bond, { type: 'BondFormed', value: [bondIdOf(PEER, OTHER), OTHER] })).toMatchObject(
      violation,
    );
  });

  it('asks for admission anew when it expires, and closes with what was decided', () => {
    const bond = core({ maxMissed: 100 });
    bond.handle({ type: 'decided', run: 1, expiresInMs: 1200 }, 0);
    const tickTo = (untilMs: number) => {
      const effects = [];
      while ((bond.nextDeadlineMs() ?? Number.POSITIVE_INFINITY) <= untilMs) {
        bond.handle({ type: 'tick' }, bond.nextDeadlineMs() ?? 0);
        effects.push(...bond.drain().filter(({ type }) => type !== 'send'));
      }
      return effects;
    };
    expect(tickTo(1199)).toEqual([]);
    expect(tickTo(1200)).toEqual([{ type: 'admit', run: 2 }]);
    bond.handle({ type: 'decided', run: 2, expiresInMs: 800 }, 1200);
    expect(tickTo(2000)).toEqual([{ type: 'admit', run: 3 }]);
    const refusal = { closeCode: CloseCode.NotAllowed, reason: 'ticket expired' };
    bond.handle({ type: 'decided', run: 3, refusal }, 2001);
    expect(bond.drain()).toEqual([
      { type: 'close', code: 30_403, reason: 'ticket expired', departed: false },
    ]);
  });

  it('ignores a verdict about an entry that a newer one has replaced', () => {
    const bond = core();
    bond.handle({ type: 'recheck' }, 1);
    bond.handle({ type: 'recheck' }, 2);
    expect(bond.drain()).toEqual([
      { type: 'admit', run: 2 },
      { type: 'admit', run: 3 },
    ]);
    bond.handle({ type: 'decided', run: 2, refusal: { closeCode: CloseCode.NotAllowed, reason: '' } }, 3);
    expect(bond.drain()).toEqual([]);
  });
});
