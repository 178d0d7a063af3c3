import { CloseCode, type PeerId, type SignedPeerEntry, UniqueId } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { BondTable, type BondTableEffect, type BondTableInit } from '../../src/core/bond-table.ts';
import { redialDelayMs } from '../../src/core/redial.ts';
import { GROUP, NETWORK } from '../mesh.ts';

const [LOW, MID, HIGH] = ['1', '5', '9'].map((digit) => UniqueId.from<PeerId>(digit.repeat(64))) as [
  PeerId,
  PeerId,
  PeerId,
];
const rng = { ...seededRng(1), float: () => 0.5 };

function table(overrides: Partial<BondTableInit> = {}): BondTable {
  return new BondTable({
    localId: MID,
    groupId: GROUP,
    handshakeTimeoutMs: 2000,
    persistent: [],
    rng,
    ...overrides,
  });
}

function entryOf(
  peerId: PeerId,
  changes: Partial<SignedPeerEntry['entry']> = {},
  updateMs = 1,
): SignedPeerEntry {
  const entry = {
    peerId,
    protocolVersion: 1,
    networkId: NETWORK,
    version: { startMs: 1, updateMs },
    addresses: ['127.0.0.1:1'],
    tags: [],
    groups: [GROUP],
    tickets: [],
    departed: false,
    ...changes,
  };
  return { entry, signature: new Uint8Array(64) };
}

const dials = (effects: readonly BondTableEffect[]) =>
  effects.flatMap((e) => (e.type === 'dial' ? [e.peer] : []));

/** Ticks up to `untilMs` and gives the times of dials; each dial fails with `closeCode` at once. */
function dialTimes(bonds: BondTable, untilMs: number, closeCode?: number): number[] {
  const times: number[] = [];
  for (;;) {
    const dueMs = bonds.nextDeadlineMs();
    if (dueMs === undefined || dueMs > untilMs) return times;
    bonds.handle({ type: 'tick' }, dueMs);
    for (const peer of dials(bonds.drain())) {
      times.push(dueMs);
      bonds.handle({ type: 'dial-failed', peer, closeCode }, dueMs);
    }
  }
}

function proven(
  bonds: BondTable,
  connection: number,
  options: { peer: PeerId; dialled: boolean; incarnation?: bigint },
  nowMs: number,
) {
  bonds.handle({ type: 'proven', connection, incarnation: 1n, ...options }, nowMs);
  return bonds.drain();
}

describe('dialling', () => {
  it('starts at once towards a higher peer and waits a little for a lower one to dial first', () => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 100);
    bonds.handle({ type: 'entry', entry: entryOf(LOW) }, 100);
    bonds.handle({ type: 'tick' }, 100);
    expect(dials(bonds.drain())).toEqual([HIGH]);
    const waitMs = (bonds.nextDeadlineMs() ?? 0) - 100;
    expect(waitMs).toBeGreaterThanOrEqual(50);
    expect(waitMs).toBeLessThanOrEqual(100);
  });

  it('leaves out itself, peers of other groups, and departed ones', () => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(MID) }, 0);
    bonds.handle({ type: 'entry', entry: entryOf(LOW, { groups: [] }) }, 0);
    bonds.handle({ type: 'entry', entry: entryOf(HIGH, { departed: true }) }, 0);
    expect(bonds.nextDeadlineMs()).toBeUndefined();
  });

  it('backs off with jitter from 50 ms to 5 s', () => {
    const delays = (float: number) =>
      Array.from({ length: 12 }, (_, failures) =>
        redialDelayMs({
          closeCode: undefined,
          failures,
          handshakeTimeoutMs: 2000,
          rng: { ...rng, float: () => float },
        }),
      );
    expect(delays(0)).toEqual([25, 50, 100, 200, 400, 800, 1600, 2500, 2500, 2500, 2500, 2500]);
    expect(delays(0.999999).map(Math.round)).toEqual([
      50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000, 5000,
    ]);
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
    const times = dialTimes(bonds, 60_000);
    expect(times.length).toBeGreaterThan(15);
    expect(times.length).toBeLessThan(30);
  });

  it.each([
    CloseCode.NotAllowed,
    CloseCode.InvalidProof,
    CloseCode.GroupNotFound,
    CloseCode.DifferentNetwork,
  ])('waits 60 s after a refusal with %i, unless a newer entry appears', (code) => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
    expect(dialTimes(bonds, 59_999, code)).toEqual([0]);
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 10_000);
    expect(dialTimes(bonds, 59_999, code)).toEqual([]);
    bonds.handle({ type: 'entry', entry: entryOf(HIGH, {}, 2) }, 20_000);
    expect(dialTimes(bonds, 79_999, code)).toEqual([20_000]);
    expect(dialTimes(bonds, 80_000, code)).toEqual([80_000]);
  });

  it('waits handshakeTimeoutMs when told AlreadyBonded without a bond', () => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
    expect(dialTimes(bonds, 4000, CloseCode.AlreadyBonded)).toEqual([0, 2000, 4000]);
  });

  it('goes on for 24 h after a bond was lost, and for ever towards a voter', () => {
    const day = 24 * 60 * 60 * 1000;
    for (const [persistent, expected] of [
      [[], false],
      [[HIGH], true],
    ] as const) {
      const bonds = table({ persistent });
      bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
      proven(bonds, 1, { peer: HIGH, dialled: true }, 0);
      bonds.handle({ type: 'lost', connection: 1, closeCode: CloseCode.Timeout, departed: false }, 5000);
      expect(dialTimes(bonds, day).length).toBeGreaterThan(1000);
      dialTimes(bonds, day + 20_000);
      expect(dialTimes(bonds, day + 60_000).length > 0).toBe(expected);
    }
  });

  it('goes on for ever towards one that becomes a voter, and as towards others when it is none any more', () => {
    const day = 24 * 60 * 60 * 1000;
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
    proven(bonds, 1, { peer: HIGH, dialled: true }, 0);
    bonds.handle({ type: 'lost', connection: 1, closeCode: CloseCode.Timeout, departed: false }, 5000);
    bonds.handle({ type: 'persistent', peers: [HIGH] }, 10_000);
    dialTimes(bonds, day + 20_000);
    expect(dialTimes(bonds, day + 60_000)).not.toEqual([]);
    bonds.handle({ type: 'persistent', peers: [] }, day + 60_000);
    dialTimes(bonds, day + 80_000);
    expect(dialTimes(bonds, day + 200_000)).toEqual([]);
    bonds.handle({ type: 'entry', entry: entryOf(HIGH, { groups: [] }, 2) }, day + 200_000);
    expect(dialTimes(bonds, day + 300_000)).toEqual([]);
    bonds.handle({ type: 'persistent', peers: [HIGH] }, day + 300_000);
    bonds.handle({ type: 'entry', entry: entryOf(HIGH, { groups: [] }, 2) }, day + 300_000);
    expect(dialTimes(bonds, day + 301_000)).not.toEqual([]);
  });

  it('stops for a peer that departed until a higher version of its entry appears', () => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH, {}, 5) }, 0);
    proven(bonds, 1, { peer: HIGH, dialled: true }, 0);
    bonds.handle(
      { type: 'lost', connection: 1, closeCode: CloseCode.GracefulShutdown, departed: true },
      5000,
    );
    expect(dialTimes(bonds, 100_000)).toEqual([]);
    bonds.handle({ type: 'entry', entry: entryOf(HIGH, {}, 5) }, 100_000);
    expect(dialTimes(bonds, 200_000)).toEqual([]);
    bonds.handle({ type: 'entry', entry: entryOf(HIGH, {}, 6) }, 200_000);
    expect(dialTimes(bonds, 200_000)).toEqual([200_000]);
  });

  it('stops for a peer whose newest entry no longer lists the group', () => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
    bonds.handle({ type: 'entry', entry: entryOf(HIGH, { groups: [] }, 2) }, 0);
    expect(bonds.nextDeadlineMs()).toBeUndefined();
  });

  it('forgets a peer that was never bonded and that discovery forgot', () => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
    bonds.handle({ type: 'tick' }, 0);
    expect(bonds.drain()).toMatchObject([{ type: 'dial', everBonded: false }]);
    bonds.handle({ type: 'forgotten', peer: HIGH }, 0);
    bonds.handle({ type: 'dial-failed', peer: HIGH, closeCode: undefined }, 0);
    expect(bonds.nextDeadlineMs()).toBeUndefined();
  });

  it('remembers a bounded number of peers, and never forgets one that is bonded', () => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
    proven(bonds, 1, { peer: HIGH, dialled: true }, 0);
    for (let i = 0; i < 3000; i += 1)
      bonds.handle({ type: 'entry', entry: entryOf(UniqueId.from<PeerId>(`stranger ${i}`)) }, 0);
    bonds.handle({ type: 'tick' }, 1000);
    let known = 0;
    for (let nowMs = 1000; nowMs < 200_000 && known < 3000; nowMs += 100) {
      bonds.handle({ type: 'tick' }, nowMs);
      const peers = dials(bonds.drain());
      // Anybody in the network can say that it is in the group: dials of strangers are few at a time.
      expect(peers.length).toBeLessThanOrEqual(32);
      known += peers.length;
      for (const peer of peers) bonds.handle({ type: 'forgotten', peer }, nowMs);
    }
    expect(known).toBeGreaterThan(900);
    expect(known).toBeLessThanOrEqual(1024);
    expect(bonds.live(HIGH)).toBe(1);
  });
});

describe('simultaneous dials', () => {
  it('the lower peer keeps the one that it dialled, whichever was proven first', () => {
    const first = table();
    proven(first, 1, { peer: HIGH, dialled: true }, 0);
    expect(first.refusal(HIGH, false, 1n, 100)).toMatchObject({ code: CloseCode.AlreadyBonded });
    expect(proven(first, 2, { peer: HIGH, dialled: false }, 100)).toMatchObject([
      { type: 'close', connection: 2, code: CloseCode.AlreadyBonded },
    ]);
    const second = table();
    proven(second, 1, { peer: HIGH, dialled: false }, 0);
    expect(second.refusal(HIGH, true, 1n, 100)).toBeUndefined();
    expect(proven(second, 2, { peer: HIGH, dialled: true }, 100)).toMatchObject([
      { type: 'close', connection: 1, code: CloseCode.AlreadyBonded },
      { type: 'bond', from: 1, to: 2 },
    ]);
  });

  it('the higher peer accepts both, uses the newest, and drops the older only after handshakeTimeoutMs', () => {
    for (const dialled of [true, false]) {
      const bonds = table();
      proven(bonds, 1, { peer: LOW, dialled }, 0);
      expect(bonds.refusal(LOW, !dialled, 1n, 100)).toBeUndefined();
      expect(proven(bonds, 2, { peer: LOW, dialled: !dialled }, 100)).toEqual([
        { type: 'bond', peer: LOW, from: 1, to: 2 },
      ]);
      bonds.handle({ type: 'tick' }, 2099);
      expect(bonds.drain()).toEqual([]);
      bonds.handle({ type: 'tick' }, 2100);
      expect(bonds.drain()).toMatchObject([{ type: 'close', connection: 1 }]);
    }
  });

  it('the higher peer falls back to the older when the lower closes the newer', () => {
    const bonds = table();
    proven(bonds, 1, { peer: LOW, dialled: false }, 0);
    proven(bonds, 2, { peer: LOW, dialled: true }, 100);
    bonds.handle({ type: 'lost', connection: 2, closeCode: CloseCode.AlreadyBonded, departed: false }, 150);
    expect(bonds.drain()).toEqual([{ type: 'bond', peer: LOW, from: 2, to: 1 }]);
    expect(bonds.live(LOW)).toBe(1);
    expect(bonds.nextDeadlineMs()).toBeUndefined();
  });

  it('a dial that fails removes nothing', () => {
    const bonds = table();
    bonds.handle({ type: 'entry', entry: entryOf(HIGH) }, 0);
    bonds.handle({ type: 'tick' }, 0);
    proven(bonds, 1, { peer: HIGH, dialled: false }, 10);
    bonds.handle({ type: 'dial-failed', peer: HIGH, closeCode: CloseCode.AlreadyBonded }, 20);
    expect(bonds.drain()).toEqual([]);
    expect(bonds.live(HIGH)).toBe(1);
    expect(bonds.nextDeadlineMs()).toBeUndefined();
  });
});

describe('a peer that came back', () => {
  it('with a new incarnation replaces the old bond at once, at both the lower and the higher peer', () => {
    for (const peer of [LOW, HIGH])
      for (const dialled of [true, false]) {
        const bonds = table();
        proven(bonds, 1, { peer, dialled: true, incarnation: 1n }, 0);
        expect(bonds.refusal(peer, dialled, 2n, 1)).toBeUndefined();
        expect(proven(bonds, 2, { peer, dialled, incarnation: 2n }, 1)).toMatchObject([
          { type: 'close', connection: 1 },
          { type: 'bond', from: 1, to: 2 },
        ]);
      }
  });

  it('with the same incarnation replaces a bond older than handshakeTimeoutMs', () => {
    const bonds = table();
    proven(bonds, 1, { peer: HIGH, dialled: true }, 0);
    expect(bonds.refusal(HIGH, false, 1n, 1999)).toMatchObject({ code: CloseCode.AlreadyBonded });
    expect(bonds.refusal(HIGH, false, 1n, 2000)).toBeUndefined();
    expect(proven(bonds, 2, { peer: HIGH, dialled: false }, 2000)).toMatchObject([
      { type: 'close', connection: 1 },
      { type: 'bond', from: 1, to: 2 },
    ]);
  });
});

describe('two processes with one identity', () => {
  it('are both refused once their incarnations alternate, for a minute', () => {
    const bonds = table();
    proven(bonds, 1, { peer: HIGH, dialled: false, incarnation: 1n }, 0);
    proven(bonds, 2, { peer: HIGH, dialled: false, incarnation: 2n }, 1000);
    bonds.handle({ type: 'lost', connection: 1, closeCode: CloseCode.AlreadyBonded, departed: false }, 1000);
    bonds.drain();
    expect(proven(bonds, 3, { peer: HIGH, dialled: false, incarnation: 1n }, 2000)).toMatchObject([
      { type: 'duplicate-identity', peer: HIGH },
      { type: 'close', connection: 2, code: CloseCode.NotAllowed },
      { type: 'close', connection: 3, code: CloseCode.NotAllowed },
    ]);
    bonds.handle({ type: 'lost', connection: 2, closeCode: CloseCode.NotAllowed, departed: false }, 2000);
    expect(bonds.drain()).toMatchObject([{ type: 'bond', from: 2, to: undefined }]);
    for (const incarnation of [1n, 2n, 3n])
      expect(bonds.refusal(HIGH, false, incarnation, 61_999)).toMatchObject({ code: CloseCode.NotAllowed });
    expect(bonds.refusal(HIGH, false, 1n, 62_000)).toBeUndefined();
    expect(proven(bonds, 4, { peer: HIGH, dialled: false, incarnation: 1n }, 62_000)).toMatchObject([
      { type: 'bond', to: 4 },
    ]);
  });

  it('are not suspected when a peer restarts again and again', () => {
    const bonds = table();
    for (let i = 1; i < 20; i += 1) {
      const effects = proven(bonds, i, { peer: HIGH, dialled: false, incarnation: BigInt(i) }, i * 100);
      expect(effects.at(-1)).toMatchObject({ type: 'bond', to: i });
    }
  });
});
