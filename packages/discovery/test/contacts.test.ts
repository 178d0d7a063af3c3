import type { PeerId } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { Contacts, type ContactsInput } from '../src/core/contacts.ts';
import { testEntry } from './entries.ts';
import { testKey } from './world.ts';

function setUp(options: { maxRemembered?: number; maxConcurrent?: number } = {}) {
  const alive = new Set<PeerId>();
  const contacts = new Contacts({
    rng: seededRng(1),
    localId: testKey(0).id,
    isAlive: (peer) => alive.has(peer),
    maxRemembered: options.maxRemembered ?? 4,
    maxConcurrent: options.maxConcurrent ?? 8,
  });
  const step = (input: ContactsInput, nowMs: number) => {
    contacts.handle(input, nowMs);
    return contacts.drain().map(({ target }) => target);
  };
  return { contacts, alive, step };
}

const A = '10.0.0.1:1';
const PEER = testKey(1).id;

describe('Contacts', () => {
  it('dials a bootstrap address at once and, while it fails, for ever', () => {
    const { contacts, step } = setUp();
    expect(step({ type: 'bootstrap', address: A, expect: undefined }, 0)).toEqual([A]);
    let nowMs = 0;
    for (let i = 0; i < 200; i += 1) {
      expect(step({ type: 'failed', target: A }, nowMs)).toEqual([]);
      const dueMs = contacts.nextDeadlineMs() ?? Number.NaN;
      expect(dueMs - nowMs).toBeLessThanOrEqual(Math.min(5_000, 100 * 2 ** i));
      nowMs = dueMs;
      expect(step({ type: 'tick' }, nowMs)).toEqual([A]);
    }
  });

  it('leaves it alone while its peer is alive, and dials again when it falls silent', () => {
    const { contacts, alive, step } = setUp();
    step({ type: 'bootstrap', address: A, expect: undefined }, 0);
    alive.add(PEER);
    expect(step({ type: 'succeeded', target: A, peer: PEER }, 5)).toEqual([]);
    let nowMs = 5;
    for (let i = 0; i < 5; i += 1) {
      nowMs = contacts.nextDeadlineMs() ?? Number.NaN;
      expect(step({ type: 'tick' }, nowMs)).toEqual([]);
    }
    alive.delete(PEER);
    nowMs = contacts.nextDeadlineMs() ?? Number.NaN;
    expect(step({ type: 'tick' }, nowMs)).toEqual([A]);
  });

  it('dials a remembered peer whenever it is silent, at its newest addresses', () => {
    const { contacts, alive, step } = setUp();
    alive.add(PEER);
    expect(step({ type: 'remember', entry: testEntry(1) }, 0)).toEqual([]);
    step({ type: 'remember', entry: testEntry(1, 1, { addresses: ['10.9.9.9:9'] }) }, 1);
    alive.delete(PEER);
    contacts.handle({ type: 'tick' }, contacts.nextDeadlineMs() ?? Number.NaN);
    expect(contacts.drain()).toEqual([
      { type: 'dial', target: PEER, addresses: ['10.9.9.9:9'], expect: PEER },
    ]);
    expect(contacts.remembered()).toEqual([testEntry(1, 1, { addresses: ['10.9.9.9:9'] })]);
  });

  it('retries a first exchange that failed (a failed first sync is never the last)', () => {
    const { contacts, alive, step } = setUp();
    alive.add(PEER);
    const sync: ContactsInput = { type: 'sync', peer: PEER, addresses: [A] };
    expect(step(sync, 0)).toEqual([PEER]);
    expect(step({ type: 'failed', target: PEER }, 1)).toEqual([]);
    expect(step({ type: 'tick' }, contacts.nextDeadlineMs() ?? Number.NaN)).toEqual([PEER]);
    step({ type: 'succeeded', target: PEER, peer: PEER }, 200);
    expect(contacts.nextDeadlineMs()).toBeUndefined();
  });

  it('gives up on an exchange with a peer that it need not find', () => {
    const { contacts, alive, step } = setUp();
    alive.add(PEER);
    step({ type: 'sync', peer: PEER, addresses: [A] }, 0);
    let dials = 1;
    for (let nowMs = 0; contacts.nextDeadlineMs() !== undefined || dials === 1; dials += 1) {
      step({ type: 'failed', target: PEER }, nowMs);
      const dueMs = contacts.nextDeadlineMs();
      if (dueMs === undefined) break;
      nowMs = dueMs;
      step({ type: 'tick' }, nowMs);
      if (dials > 50) break;
    }
    expect(dials).toBeLessThan(10);
  });

  it('dials a bounded number at a time, bootstrap addresses and those that failed less before others', () => {
    const { contacts, step } = setUp({ maxConcurrent: 2, maxRemembered: 100 });
    for (let peer = 1; peer <= 10; peer += 1) step({ type: 'remember', entry: testEntry(peer) }, 0);
    expect(contacts.nextDeadlineMs()).toBeUndefined();
    expect(step({ type: 'bootstrap', address: A, expect: undefined }, 1)).toEqual([]);
    expect(step({ type: 'failed', target: testKey(1).id }, 2)).toEqual([A]);
    expect(step({ type: 'failed', target: testKey(2).id }, 5_000)).toEqual([testKey(3).id]);
  });

  it('remembers a bounded number of peers; who failed most often makes room', () => {
    const { contacts, step } = setUp({ maxRemembered: 3 });
    for (const peer of [1, 2, 3]) step({ type: 'remember', entry: testEntry(peer) }, 0);
    step({ type: 'failed', target: testKey(2).id }, 1);
    step({ type: 'remember', entry: testEntry(4) }, 2);
    expect(contacts.remembered().map(({ entry }) => entry.peerId)).toEqual(
      [1, 3, 4].map((n) => testKey(n).id),
    );
  });

  it('tries an address from a source a few times, a bounded number of them, none whose peer is alive', () => {
    const { contacts, alive, step } = setUp({ maxConcurrent: 100 });
    alive.add(PEER);
    expect(step({ type: 'found', address: A, expect: PEER }, 0)).toEqual([]);
    let dialled = 0;
    for (let port = 1; port <= 200; port += 1) {
      dialled += step({ type: 'found', address: `10.0.0.1:${port}`, expect: undefined }, 0).length;
    }
    expect(dialled).toBe(64);
    expect(step({ type: 'succeeded', target: '10.0.0.1:1', peer: PEER }, 1)).toEqual([]);
    for (let port = 2; port <= 64; port += 1) {
      for (let i = 0; i < 6; i += 1) step({ type: 'failed', target: `10.0.0.1:${port}` }, 2);
    }
    expect(contacts.nextDeadlineMs()).toBeUndefined();
  });

  it('never dials itself', () => {
    const { step } = setUp();
    expect(step({ type: 'remember', entry: testEntry(0) }, 0)).toEqual([]);
    expect(step({ type: 'sync', peer: testKey(0).id, addresses: [A] }, 0)).toEqual([]);
    step({ type: 'bootstrap', address: A, expect: undefined }, 0);
    step({ type: 'succeeded', target: A, peer: testKey(0).id }, 1);
    expect(step({ type: 'tick' }, 1_000_000)).toEqual([]);
  });
});
