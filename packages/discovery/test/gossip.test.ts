import { CloseCode, type PeerId, type SignedPeerEntry } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { Gossip, type GossipEffect, type GossipInput } from '../src/core/gossip.ts';
import { testEntry } from './entries.ts';
import { testKey } from './world.ts';

const INTERVAL_MS = 15_000;
const JITTER_MS = 5_000;
const OWN = testEntry(0);

function setUp(options: { peers?: number[]; maxNeighbours?: number; local?: number } = {}) {
  const candidates = new Set<PeerId>((options.peers ?? []).map((peer) => testKey(peer).id));
  const own = testEntry(options.local ?? 0);
  const gossip = new Gossip(
    {
      localId: own.entry.peerId,
      rng: seededRng(1),
      candidates: () => candidates,
      announceIntervalMs: INTERVAL_MS,
      announceJitterMs: JITTER_MS,
      maxNeighbours: options.maxNeighbours ?? 5,
    },
    own,
    0,
  );
  const step = (input: GossipInput, nowMs: number): readonly GossipEffect[] => {
    gossip.handle(input, nowMs);
    return gossip.drain();
  };
  const open = (link: number, peer: number, nowMs = 0, initiator = true) =>
    step({ type: 'link-opened', link, peer: testKey(peer).id, initiator }, nowMs);
  return { gossip, candidates, step, open };
}

function sent(effects: readonly GossipEffect[]): [number, SignedPeerEntry][] {
  return effects.flatMap((effect) =>
    effect.type === 'send' ? [[effect.link, effect.entry] as [number, SignedPeerEntry]] : [],
  );
}

function accepted(entry: SignedPeerEntry, link?: number): GossipInput {
  return { type: 'accepted', entry, link };
}

describe('Gossip, spreading', () => {
  it('greets a new neighbour with the newest own entry', () => {
    const { step, open } = setUp();
    expect(sent(open(1, 1))).toEqual([[1, OWN]]);
    const newer = testEntry(0, 1);
    step({ type: 'announce', entry: newer }, 10);
    expect(sent(open(2, 2))).toEqual([[2, newer]]);
  });

  it('forwards a new version to all neighbours but the one it came from and its subject', () => {
    const { step, open } = setUp();
    for (const peer of [1, 2, 3]) open(peer, peer);
    expect(sent(step(accepted(testEntry(9), 2), 0)).map(([link]) => link)).toEqual([1, 3]);
    expect(sent(step(accepted(testEntry(3), 1), 0)).map(([link]) => link)).toEqual([2]);
    expect(sent(step(accepted(testEntry(8)), 0)).map(([link]) => link)).toEqual([1, 2, 3]);
  });

  it('lets one version per origin and second through, after a burst of three, and of the rest the latest', () => {
    const { gossip, step, open } = setUp();
    open(1, 1);
    const at = (update: number, nowMs: number) => sent(step(accepted(testEntry(9, update)), nowMs)).length;
    expect([at(1, 0), at(2, 0), at(3, 0), at(4, 0), at(5, 10), at(6, 20)]).toEqual([1, 1, 1, 0, 0, 0]);
    expect(sent(step(accepted(testEntry(8)), 20))).toHaveLength(1);
    expect(gossip.nextDeadlineMs()).toBe(1_000);
    expect(sent(step({ type: 'tick' }, 999))).toEqual([]);
    expect(sent(step({ type: 'tick' }, 1_000))).toEqual([[1, testEntry(9, 6)]]);
    expect(sent(step({ type: 'tick' }, 5_000))).toEqual([]);
  });

  it('sends no more than the allowance in any ten seconds of a flood', () => {
    const { step, open } = setUp();
    open(1, 1);
    const flooder = testEntry(9);
    let count = 0;
    for (let nowMs = 0; nowMs <= 10_000; nowMs += 10) {
      const version = { startMs: 0, updateMs: nowMs };
      const entry = { entry: { ...flooder.entry, version }, signature: flooder.signature };
      count += sent(step(accepted(entry), nowMs)).length;
    }
    expect(count).toBeLessThanOrEqual(3 + 10);
    expect(count).toBeGreaterThanOrEqual(10);
  });

  it('asks for a fresh own entry every interval, give or take the jitter', () => {
    const { gossip, step } = setUp();
    let lastMs = 0;
    const periods = new Set<number>();
    for (let i = 0; i < 50; i += 1) {
      const dueMs = gossip.nextDeadlineMs();
      expect(dueMs - lastMs).toBeGreaterThanOrEqual(INTERVAL_MS - JITTER_MS);
      expect(dueMs - lastMs).toBeLessThanOrEqual(INTERVAL_MS + JITTER_MS);
      expect(step({ type: 'tick' }, dueMs - 0.1)).toEqual([]);
      expect(step({ type: 'tick' }, dueMs)).toEqual([{ type: 'refresh' }]);
      periods.add(dueMs - lastMs);
      lastMs = dueMs;
    }
    expect(periods.size).toBeGreaterThan(40);
  });
});

describe('Gossip, neighbours', () => {
  it('dials as many candidates as it may have neighbours, each once', () => {
    const { step } = setUp({ peers: [1, 2, 3, 4, 5, 6, 7], maxNeighbours: 3 });
    const dialled = step({ type: 'tick' }, 0);
    expect(dialled.map((effect) => effect.type)).toEqual(['dial', 'dial', 'dial']);
    expect(new Set(dialled.map((effect) => 'peer' in effect && effect.peer)).size).toBe(3);
    expect(step({ type: 'tick' }, 1)).toEqual([]);
  });

  it('dials nobody that a link is up with already', () => {
    const { step, open } = setUp({ peers: [1] });
    expect(open(1, 1, 0, false).filter(({ type }) => type === 'dial')).toEqual([]);
    expect(step({ type: 'tick' }, 9)).toEqual([]);
  });

  it('tries a candidate that failed again, later and later, up to five seconds', () => {
    const { gossip, step } = setUp({ peers: [1] });
    const peer = testKey(1).id;
    let nowMs = 0;
    const waits: number[] = [];
    expect(step({ type: 'tick' }, 0)).toEqual([{ type: 'dial', peer }]);
    for (let i = 0; i < 12 && nowMs < 9_000; i += 1) {
      expect(step({ type: 'dial-failed', peer }, nowMs)).toEqual([]);
      const dueMs = gossip.nextDeadlineMs();
      waits.push(dueMs - nowMs);
      nowMs = dueMs;
      expect(step({ type: 'tick' }, nowMs)).toEqual([{ type: 'dial', peer }]);
    }
    expect(waits[0]).toBeLessThanOrEqual(100);
    expect(Math.max(...waits)).toBeLessThanOrEqual(5_000);
    expect(waits.at(-1)).toBeGreaterThan(1_000);
  });

  it('does not spin on a neighbour that accepts and closes at once', () => {
    const { gossip, step } = setUp({ peers: [1] });
    let nowMs = 0;
    let dials = 0;
    step({ type: 'tick' }, 0);
    for (let link = 1; nowMs < 9_000; link += 1) {
      dials += 1;
      step({ type: 'link-opened', link, peer: testKey(1).id, initiator: true }, nowMs);
      step({ type: 'link-closed', link }, nowMs);
      nowMs = gossip.nextDeadlineMs();
      step({ type: 'tick' }, nowMs);
    }
    expect(dials).toBeLessThan(12);
  });

  it('has no deadline for a peer that is a candidate no longer', () => {
    const { gossip, candidates, step } = setUp({ peers: [1] });
    step({ type: 'tick' }, 0);
    step({ type: 'dial-failed', peer: testKey(1).id }, 0);
    candidates.clear();
    step({ type: 'tick' }, gossip.nextDeadlineMs());
    expect(gossip.nextDeadlineMs()).toBeGreaterThan(INTERVAL_MS - JITTER_MS - 1);
  });

  it('accepts twice as many links as it dials and politely refuses the next', () => {
    const { gossip, open } = setUp({ maxNeighbours: 2 });
    for (const peer of [1, 2, 3, 4]) expect(sent(open(peer, peer, 0, false))).toHaveLength(1);
    expect(open(5, 5, 0, false)).toEqual([
      { type: 'close', link: 5, code: CloseCode.Success, reason: 'enough neighbours' },
    ]);
    expect(gossip.neighbours).toBe(4);
  });

  it('keeps of two links dialled crosswise the one of the lower id, on both sides', () => {
    for (const order of ['own first', 'own last']) {
      for (const [local, peer] of [
        [1, 2],
        [2, 1],
      ] as const) {
        const { open, gossip } = setUp({ local });
        const lower = testKey(1).id < testKey(2).id ? 1 : 2;
        // Link 1 is the one that this side dialled.
        const links = order === 'own first' ? [1, 2] : [2, 1];
        const effects = links.flatMap((link) => [...open(link, peer, 0, link === 1)]);
        const closed = effects.flatMap((effect) => (effect.type === 'close' ? [effect.link] : []));
        expect(closed).toEqual([local === lower ? 2 : 1]);
        expect(gossip.neighbours).toBe(1);
      }
    }
  });

  it('takes a second link from the same side for the newer truth: the peer restarted', () => {
    const { open, gossip } = setUp();
    open(1, 1, 0, false);
    expect(open(2, 1, 9, false)).toContainEqual(expect.objectContaining({ type: 'close', link: 1 }));
    expect(gossip.links).toEqual([2]);
  });
});
