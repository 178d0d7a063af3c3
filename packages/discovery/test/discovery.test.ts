import { type GroupId, type PeerId, type SignedPeerEntry, UniqueId } from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { Discovery, verifyEntry } from '../src/index.ts';
import { memoryPeerBook } from '../src/testing/index.ts';
import { known, knowsAll, NETWORK, testKey, World } from './world.ts';

/** The same clock with a wall that is off by so much. */
function shiftedClock(clock: Clock, offsetMs: number): Clock {
  return {
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs() + offsetMs,
    schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
  };
}

describe('first contact', () => {
  it('makes three nodes with one bootstrap address know each other within 100 ms of virtual time', async () => {
    const world = new World();
    const a = await world.node(1);
    const b = await world.node(2, { bootstrap: [a.address] });
    const c = await world.node(3, { bootstrap: [`${a.id}@${a.address}`] });
    const startMs = world.clock.nowMs();
    await world.clock.until(() => knowsAll([a, b, c]), 100);
    expect(world.clock.nowMs() - startMs).toBeLessThanOrEqual(100);
  });

  it('makes a chain of bootstrap addresses end with everybody knowing everybody', async () => {
    const world = new World({ latencyMs: 5 });
    const nodes = [await world.node(1)];
    for (let i = 2; i <= 12; i += 1) {
      nodes.push(await world.node(i, { bootstrap: [nodes[i - 2]?.address ?? ''] }));
    }
    await world.clock.until(() => knowsAll(nodes), 2_000);
  });

  it('spreads a change of an entry to every node', async () => {
    const world = new World();
    const nodes = [await world.node(1)];
    for (let i = 2; i <= 8; i += 1) {
      nodes.push(await world.node(i, { bootstrap: [nodes[i - 2]?.address ?? ''] }));
    }
    await world.clock.until(() => knowsAll(nodes), 2_000);
    await world.clock.advance(5_000);
    const group = UniqueId.from<GroupId>('a group');
    const [first, ...others] = nodes;
    if (!first) throw new Error('no node');
    first.discovery.addGroup(group);
    await world.clock.until(
      () => others.every((node) => node.discovery.entry(first.id)?.entry.groups.includes(group)),
      100,
    );
  });
});

describe('departure', () => {
  it('spreads to every node and outlives a replay of an older entry', async () => {
    const world = new World();
    const [a, b, c, d] = await world.chain(4);
    await world.clock.advance(2_000);
    const before = b.discovery.entry(a.id);
    const departed: PeerId[] = [];
    d.discovery.on('peer:departed', ({ peerId }) => departed.push(peerId));
    const versions: SignedPeerEntry[] = [];
    d.discovery.subscribe((entry) => versions.push(entry));

    await world.stop(a);
    await world.clock.until(() => [b, c, d].every((node) => !known(node).includes(a.id)), 100);
    expect(departed).toEqual([a.id]);
    expect(versions.at(-1)?.entry).toMatchObject({ peerId: a.id, departed: true });
    expect(d.discovery.entry(a.id)?.entry.departed).toBe(true);

    if (!before) throw new Error('b knew a');
    expect(d.discovery.feed(before)).toBe(false);
    // Also after the departed entry itself is forgotten.
    await world.clock.advance(400_000);
    expect(d.discovery.entry(a.id)).toBeUndefined();
    expect(d.discovery.feed(before)).toBe(false);
    expect(known(d)).not.toContain(a.id);
  });

  it('is over for a peer that comes back: its new entry is above the departure', async () => {
    const world = new World();
    const [a, b] = await world.chain(2);
    const { address, id } = b;
    await world.stop(b);
    await world.clock.until(() => !known(a).includes(id), 100);
    const again = await world.node(2, { bootstrap: [a.address] });
    expect(again.address).toBe(address);
    await world.clock.until(() => known(a).includes(id), 100);
  });

  it('takes no longer than closeTimeoutMs when a neighbour does not listen', async () => {
    const world = new World();
    const [a, b] = await world.chain(2);
    world.network.partition(a.address, b.address);
    const startMs = world.clock.nowMs();
    await world.settle(b.discovery.close());
    expect(world.clock.nowMs() - startMs).toBeLessThanOrEqual(1_000);
  });

  it('leaves no timer behind', async () => {
    const world = new World();
    const nodes = await world.chain(3);
    for (const node of nodes) await world.stop(node);
    await world.clock.advance(60_000);
    expect(world.clock.nextDueMs()).toBeUndefined();
  });
});

describe('silence', () => {
  it('makes both sides of a long partition forget each other, and find each other within 10 s of its end', async () => {
    const world = new World();
    const nodes = await world.chain(6);
    const [left, right] = [nodes.slice(0, 3), nodes.slice(3)];
    await world.clock.advance(20_000);
    for (const a of left) for (const b of right) world.network.partition(a.address, b.address);
    await world.clock.advance(600_000);
    expect(knowsAll(left) && knowsAll(right)).toBe(true);
    for (const a of left) for (const b of right) expect(known(a)).not.toContain(b.id);
    const [first] = left;
    const discovered: PeerId[] = [];
    first?.discovery.on('peer:discovered', ({ peerId }) => discovered.push(peerId));

    world.network.heal();
    await world.clock.until(() => knowsAll(nodes), 10_000);
    expect(discovered.sort()).toEqual(right.map(({ id }) => id).sort());
  });

  it('is looked for in peers that were met, without any bootstrap address on that side', async () => {
    const world = new World();
    const a = await world.node(1);
    const b = await world.node(2);
    await world.settle(a.discovery.syncWith(b.address));
    world.network.partition(a.address, b.address);
    await world.clock.advance(700_000);
    expect([known(a), known(b)]).toEqual([[], []]);
    world.network.heal();
    await world.clock.until(() => knowsAll([a, b]), 10_000);
  });

  it('of a crashed peer ends in its departure, once', async () => {
    const world = new World();
    const [a, b] = await world.chain(2);
    const departed: PeerId[] = [];
    a.discovery.on('peer:departed', ({ peerId }) => departed.push(peerId));
    world.crash(b);
    await world.clock.advance(1_000_000);
    expect(departed).toEqual([b.id]);
  });
});

describe('bootstrap addresses', () => {
  it('are dialled for ever: a node that comes up an hour late is found within 10 s', async () => {
    const world = new World();
    const a = await world.node(1, { bootstrap: ['127.0.0.1:7002'] });
    await world.clock.advance(3_600_000);
    const b = await world.node(2);
    await world.clock.until(() => knowsAll([a, b]), 10_000);
  });

  it('are looked at again when their node is lost: another identity there is found at once', async () => {
    const world = new World();
    const a = await world.node(1);
    const b = await world.node(2, { bootstrap: [a.address] });
    await world.clock.until(() => knowsAll([a, b]), 100);
    await world.clock.advance(1_000);
    world.network.crash(a.address, { notice: 'at-once' });
    const { endpoint, key } = await world.listen(3, 7001);
    const init = { endpoint, secretKey: key, networkId: NETWORK, clock: world.clock, rng: seededRng(3) };
    const fresh = await Discovery.start(init);
    await world.clock.until(() => fresh.entry(b.id) !== undefined && known(b).includes(key.id), 5_000);
  });

  it('may be the node itself, or wrong, or somebody else', async () => {
    const world = new World();
    const a = await world.node(1, { bootstrap: ['127.0.0.1:7001', '127.0.0.1:9'] });
    const b = await world.node(2, {
      bootstrap: [`${'ab'.repeat(32)}@${a.address}`, a.address],
    });
    await world.clock.until(() => knowsAll([a, b]), 1_000);
    await world.clock.advance(60_000);
    expect(known(a)).toEqual([b.id]);
  });
});

describe('a source of addresses', () => {
  it('is a way to first contact, is told when to end, and may name nonsense', async () => {
    const world = new World();
    const a = await world.node(1);
    let ended = false;
    const source = {
      start(found: (address: string) => void, { signal }: { signal: AbortSignal }) {
        signal.addEventListener('abort', () => {
          ended = true;
        });
        found('nonsense');
        found(a.address);
      },
    };
    const b = await world.node(2, { sources: [source] });
    await world.clock.until(() => knowsAll([a, b]), 100);
    await world.stop(b);
    expect(ended).toBe(true);
  });
});

describe('the peer book', () => {
  it('lets a node find its peers again after a restart, without a bootstrap address', async () => {
    const world = new World();
    const peerBook = memoryPeerBook();
    const a = await world.node(1);
    const b = await world.node(2, { peerBook, bootstrap: [a.address] });
    await world.clock.until(() => knowsAll([a, b]), 100);
    await world.clock.advance(2_000);
    expect(peerBook.entries.map(({ entry }) => entry.peerId).sort()).toEqual([a.id, b.id].sort());
    world.crash(b);
    const again = await world.node(2, { peerBook });
    await world.clock.until(() => known(again).includes(a.id), 100);
  });

  it('keeps the version rising when the wall clock went back before the restart', async () => {
    const world = new World();
    const peerBook = memoryPeerBook();
    const a = await world.node(1);
    const b = await world.node(2, { peerBook, bootstrap: [a.address] });
    await world.clock.until(() => knowsAll([a, b]), 100);
    await world.stop(b);
    const again = await world.node(2, { peerBook, clock: shiftedClock(world.clock, -86_400_000) });
    expect(again.discovery.local.value.entry.version.startMs).toBeGreaterThan(
      b.discovery.local.value.entry.version.startMs,
    );
    await world.clock.until(() => known(a).includes(b.id), 100);
  });

  it('is never saved twice at a time', async () => {
    const world = new World();
    let saving = 0;
    let saves = 0;
    const peerBook = {
      load: async () => [],
      save: () => {
        saving += 1;
        saves += 1;
        expect(saving).toBe(1);
        return new Promise<void>((resolve) => {
          world.clock.schedule(500, () => {
            saving -= 1;
            resolve();
          });
        });
      },
    };
    const a = await world.node(1, { peerBook });
    await world.clock.advance(1_100);
    expect(saving).toBe(1);
    await world.stop(a);
    expect([saving, saves]).toEqual([0, 2]);
  });

  it('that is unreadable does not keep a node from starting', async () => {
    const world = new World();
    const a = await world.node(1);
    const peerBook = {
      load: () => Promise.reject(new Error('torn')),
      save: () => Promise.reject(new Error('full')),
    };
    const b = await world.node(2, { peerBook, bootstrap: [a.address] });
    await world.clock.until(() => knowsAll([a, b]), 100);
    await world.stop(b);
  });
});

describe('versions and clocks', () => {
  it('lets a node that lost its book and its time learn its last version from a peer and sign above it', async () => {
    const world = new World();
    const a = await world.node(1);
    const b = await world.node(2, { bootstrap: [a.address] });
    await world.clock.until(() => knowsAll([a, b]), 100);
    world.crash(b);
    const again = await world.node(2, {
      bootstrap: [a.address],
      clock: shiftedClock(world.clock, -86_400_000),
      tags: ['again'],
    });
    await world.clock.until(
      () => a.discovery.entry(b.id)?.entry.tags.includes(UniqueId.from('again')) ?? false,
      200,
    );
    await world.clock.until(() => known(again).includes(a.id), 200);
  });

  it('lets it learn even what its peers have purged', async () => {
    const world = new World();
    const a = await world.node(1);
    const b = await world.node(2, { bootstrap: [a.address] });
    await world.clock.until(() => knowsAll([a, b]), 100);
    world.crash(b);
    await world.clock.advance(320_000);
    expect(a.discovery.entry(b.id)).toBeUndefined();
    await world.node(2, { bootstrap: [a.address], clock: shiftedClock(world.clock, -86_400_000) });
    await world.clock.until(() => known(a).includes(b.id), 200);
  });

  it('lets a peer whose clock is ahead be known to those that it talks to, and by nobody through others', async () => {
    const world = new World();
    const a = await world.node(1);
    const b = await world.node(2, { bootstrap: [a.address], clock: shiftedClock(world.clock, 3_600_000) });
    await world.clock.until(() => known(a).includes(b.id), 100);
    const other = await world.node(3);
    const entry = a.discovery.entry(b.id);
    if (!entry) throw new Error('a knows b');
    expect(other.discovery.feed(entry)).toBe(false);
    expect(other.discovery.feed(entry, { fromSubject: true })).toBe(true);
  });

  it('does not let two processes with one identity outbid each other faster than once a second', async () => {
    const world = new World();
    const a = await world.node(1);
    const twin = await world.node(2, { bootstrap: [a.address] });
    const { endpoint } = await world.listen(2, 7902);
    const other = await Discovery.start({
      endpoint,
      secretKey: testKey(2),
      networkId: NETWORK,
      clock: world.clock,
      rng: seededRng(9),
      bootstrap: [a.address],
      tags: ['twin'],
    });
    let versions = 0;
    twin.discovery.local.subscribe(() => {
      versions += 1;
    });
    // Each hears of the other from this peer as often as it likes to tell.
    for (let nowMs = 0; nowMs < 20_000; nowMs += 50) {
      const entry = a.discovery.entry(twin.id);
      if (entry) twin.discovery.feed(entry);
      other.feed(twin.discovery.local.value);
      twin.discovery.feed(other.local.value);
      await world.clock.advance(50);
    }
    expect(versions).toBeGreaterThan(3);
    expect(versions).toBeLessThan(20 + 5);
  });
});

describe('the own entry', () => {
  it('is signed anew on every change, and the watch and the peers see it', async () => {
    const world = new World();
    const [a, b] = await world.chain(2);
    const seen: SignedPeerEntry[] = [];
    a.discovery.local.subscribe((entry) => seen.push(entry));
    const group = UniqueId.from<GroupId>('g');
    const ticketClass = UniqueId.from('class');
    a.discovery.addGroup(group);
    a.discovery.addTags(['x']);
    a.discovery.addTicket({ ticketClass, data: Uint8Array.of(1) });
    a.discovery.setAddresses(['10.0.0.1:1', a.address]);
    expect(a.discovery.local.value.entry).toMatchObject({
      groups: [group],
      tags: [UniqueId.from('x')],
      tickets: [{ ticketClass, data: Uint8Array.of(1) }],
      addresses: ['10.0.0.1:1', a.address],
    });
    expect(seen).toHaveLength(4);
    expect(seen.every((entry) => verifyEntry(entry))).toBe(true);
    const complete = a.discovery.local.value;
    await world.clock.until(
      () => b.discovery.entry(a.id) !== undefined && b.discovery.entry(a.id)?.entry.addresses.length === 2,
      2_000,
    );
    expect(b.discovery.entry(a.id)).toEqual(complete);
    a.discovery.removeGroup(group);
    a.discovery.removeTags(['x']);
    a.discovery.removeTickets(ticketClass);
    expect(a.discovery.local.value.entry).toMatchObject({ groups: [], tags: [], tickets: [] });
  });

  it('refuses what does not fit, and stays as it was', async () => {
    const world = new World();
    const a = await world.node(1);
    const before = a.discovery.local.value;
    const tags = Array.from({ length: 33 }, (_, i) => `tag ${i}`);
    expect(() => a.discovery.addTags(tags)).toThrow(RangeError);
    const ticketClass = UniqueId.from('class');
    expect(() => a.discovery.addTicket({ ticketClass, data: new Uint8Array(4_097) })).toThrow(RangeError);
    for (const nth of [1, 2, 3, 4]) {
      if (nth < 4) a.discovery.addTicket({ ticketClass, data: new Uint8Array(4_000) });
    }
    a.discovery.addTicket({ ticketClass, data: new Uint8Array(3_900) });
    expect(() => a.discovery.addTicket({ ticketClass, data: new Uint8Array(4_000) })).toThrow(RangeError);
    expect(a.discovery.local.value.entry.tickets).toHaveLength(4);
    expect(() => a.discovery.setAddresses(['nonsense'])).toThrow(TypeError);
    expect(before.entry.tags).toEqual([]);
  });
});

describe('syncWith', () => {
  it('makes two nodes know each other, and says who was not there', async () => {
    const world = new World();
    const a = await world.node(1);
    const b = await world.node(2);
    await world.settle(a.discovery.syncWith(b.address, { expect: b.id }));
    expect(knowsAll([a, b])).toBe(true);
    await expect(
      world.settle(a.discovery.syncWith(b.address, { expect: testKey(9).id })),
    ).rejects.toMatchObject({
      name: 'DiscoveryError',
      code: 'unreachable',
    });
    await expect(world.settle(a.discovery.syncWith('127.0.0.1:9'))).rejects.toMatchObject({
      code: 'timeout',
    });
    await expect(a.discovery.syncWith('nonsense')).rejects.toThrow(TypeError);
  });

  it('rejects with the reason of its signal, also while it waits for an earlier exchange', async () => {
    const world = new World();
    const a = await world.node(1);
    await world.listen(2);
    const earlier = a.discovery.syncWith('127.0.0.1:7002');
    const controller = new AbortController();
    const later = a.discovery.syncWith('127.0.0.1:7002', { signal: controller.signal });
    earlier.catch(() => undefined);
    controller.abort(new Error('no longer wanted'));
    await expect(later).rejects.toThrow('no longer wanted');
    await expect(world.settle(earlier)).rejects.toMatchObject({ code: 'timeout' });
  });

  it('rejects once discovery is closed, and so do exchanges under way', async () => {
    const world = new World();
    const a = await world.node(1);
    await world.listen(2);
    const pending = a.discovery.syncWith('127.0.0.1:7002');
    pending.catch(() => undefined);
    await world.clock.advance(10);
    await world.settle(a.discovery.close());
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' });
    await expect(a.discovery.syncWith('127.0.0.1:7002')).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('metrics', () => {
  it('tell the size of the catalog, exchanges, neighbours, and who came, changed and went', async () => {
    const world = new World();
    const counts = new Map<string, number>();
    const gauges = new Map<string, number>();
    const metrics = {
      count: (name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1),
      gauge: (name: string, value: number) => void gauges.set(name, value),
      observe() {},
    };
    const a = await world.node(1, { metrics });
    const b = await world.node(2, { bootstrap: [a.address] });
    await world.clock.until(() => gauges.get('mosaik.discovery.gossip.neighbors') === 1, 100);
    b.discovery.addTags(['x']);
    await world.clock.advance(5_000);
    expect(gauges.get('mosaik.discovery.catalog.size')).toBe(1);
    expect(counts.get('mosaik.discovery.catalog.syncs')).toBeGreaterThan(0);
    await world.stop(b);
    await world.clock.advance(100);
    expect(counts.get('mosaik.discovery.peers.discovered')).toBe(1);
    expect(counts.get('mosaik.discovery.peers.updated')).toBe(1);
    expect(counts.get('mosaik.discovery.peers.departed')).toBe(1);
    expect(gauges.get('mosaik.discovery.gossip.neighbors')).toBe(0);
  });
});
