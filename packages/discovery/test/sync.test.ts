import {
  CloseCode,
  MAX_SYNC_ENTRIES_BYTES,
  MAX_SYNC_FRAME_BYTES,
  type NetworkId,
  type PeerId,
  SignedPeerEntry,
  SyncMessage,
  UniqueId,
} from '@mosaik/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SyncEffect, SyncExchange, type SyncInput, type SyncView } from '../src/core/sync.ts';
import { testEntry } from './entries.ts';
import { NETWORK } from './world.ts';

class Store implements SyncView {
  readonly entries = new Map<PeerId, SignedPeerEntry>();

  constructor(entries: Iterable<SignedPeerEntry>) {
    for (const entry of entries) this.take(entry);
  }

  take(entry: SignedPeerEntry): void {
    if (this.lacks(entry.entry)) this.entries.set(entry.entry.peerId, entry);
  }

  digest() {
    return [...this.entries.values()].map(({ entry }) => ({ peerId: entry.peerId, version: entry.version }));
  }

  entry(peer: PeerId) {
    return this.entries.get(peer);
  }

  lacks({ peerId, version }: SignedPeerEntry['entry'] | ReturnType<Store['digest']>[number]) {
    const held = this.entries.get(peerId);
    return !held || version.updateMs > held.entry.version.updateMs;
  }

  content(): string[] {
    return [...this.entries.values()].map(({ entry }) => `${entry.peerId} ${entry.version.updateMs}`).sort();
  }
}

/** Both ends of an exchange joined by queues; records every frame. */
function runExchange(initiator: Store, acceptor: Store) {
  const sides = [initiator, acceptor].map((store, i) => ({
    store,
    exchange: new SyncExchange({ initiator: i === 0, networkId: NETWORK, view: store }),
    log: [] as SyncEffect[],
    inbox: [] as SyncInput[],
  }));
  const frames: { from: number; bytes: number; message: SyncMessage }[] = [];
  for (const side of sides) side.inbox.push({ type: 'opened' });
  while (sides.some(({ inbox }) => inbox.length > 0)) {
    for (const [from, side] of sides.entries()) {
      const input = side.inbox.shift();
      if (!input) continue;
      side.exchange.handle(input);
      for (const effect of side.exchange.drain()) {
        side.log.push(effect);
        if (effect.type === 'received') side.store.take(effect.entry);
        if (effect.type !== 'send') continue;
        frames.push({ from, bytes: effect.frame.length, message: SyncMessage.decode(effect.frame) });
        sides[1 - from]?.inbox.push({ type: 'frame', frame: effect.frame });
        side.inbox.push({ type: 'sent' });
      }
    }
  }
  return { frames, logs: sides.map(({ log }) => log) };
}

function acceptorWith(entries: SignedPeerEntry[] = []) {
  const exchange = new SyncExchange({ initiator: false, networkId: NETWORK, view: new Store(entries) });
  return (message: SyncMessage | Uint8Array): readonly SyncEffect[] => {
    exchange.handle({
      type: 'frame',
      frame: message instanceof Uint8Array ? message : SyncMessage.encode(message),
    });
    const effects = exchange.drain();
    if (effects.some(({ type }) => type === 'send')) exchange.handle({ type: 'sent' });
    return [...effects, ...exchange.drain()];
  };
}

describe('SyncExchange', () => {
  it('leaves both sides with the newest entry of every peer', () => {
    const some = fc.array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 3 })));
    fc.assert(
      fc.property(some, some, (left, right) => {
        const a = new Store(left.map(([peer, version]) => testEntry(peer, version)));
        const b = new Store(right.map(([peer, version]) => testEntry(peer, version)));
        const all = new Store([...a.entries.values(), ...b.entries.values()]);
        const { logs } = runExchange(a, b);
        expect(a.content()).toEqual(all.content());
        expect(b.content()).toEqual(all.content());
        expect(logs[0]?.at(-1)).toMatchObject({ type: 'close', code: CloseCode.Success });
        expect(logs[1]?.at(-1)).toEqual({ type: 'completed' });
      }),
      { numRuns: 60 },
    );
  });

  it('sends no entry that the other side has', () => {
    const shared = [1, 2, 3].map((peer) => testEntry(peer));
    const { frames } = runExchange(new Store(shared), new Store(shared));
    for (const { message } of frames) {
      if (message.type === 'Entries') expect(message.entries).toEqual([]);
      if (message.type === 'Request') expect(message.peers).toEqual([]);
    }
  });

  it('names the network before anything else, and shows nothing of a catalog to another', () => {
    const step = acceptorWith([testEntry(1)]);
    const effects = step({ type: 'Start', networkId: UniqueId.from<NetworkId>('another') });
    expect(effects).toEqual([{ type: 'close', code: CloseCode.DifferentNetwork, reason: 'another network' }]);

    const initiator = new SyncExchange({
      initiator: true,
      networkId: NETWORK,
      view: new Store([testEntry(1)]),
    });
    initiator.handle({ type: 'opened' });
    const [start] = initiator.drain();
    expect(start?.type === 'send' && SyncMessage.decode(start.frame)).toEqual({
      type: 'Start',
      networkId: NETWORK,
    });
    const networkId = UniqueId.from<NetworkId>('another');
    initiator.handle({
      type: 'frame',
      frame: SyncMessage.encode({ type: 'Digest', networkId, versions: [] }),
    });
    expect(initiator.drain()).toEqual([
      { type: 'close', code: CloseCode.DifferentNetwork, reason: 'another network' },
    ]);
  });

  it.each<[string, (SyncMessage | Uint8Array)[]]>([
    ['entries first', [{ type: 'Entries', entries: [], last: true }]],
    ['a request first', [{ type: 'Request', peers: [] }]],
    ['a digest from the dialler', [{ type: 'Digest', networkId: NETWORK, versions: [] }]],
    [
      'two starts',
      [
        { type: 'Start', networkId: NETWORK },
        { type: 'Start', networkId: NETWORK },
      ],
    ],
    ['garbage', [Uint8Array.of(9, 9, 9)]],
    ['an empty frame', [new Uint8Array()]],
    ['trailing bytes', [Uint8Array.of(...SyncMessage.encode({ type: 'Start', networkId: NETWORK }), 0)]],
  ])('closes on %s with 400', (_, messages) => {
    const step = acceptorWith();
    const effects = messages.flatMap((message) => [...step(message)]);
    expect(effects.at(-1)).toMatchObject({ type: 'close', code: CloseCode.ProtocolViolation });
  });

  it('closes on more than 4 MiB of entries with 400', () => {
    const step = acceptorWith();
    step({ type: 'Start', networkId: NETWORK });
    step({ type: 'Request', peers: [] });
    const entries = Array.from({ length: 500 }, () =>
      testEntry(1, 0, { addresses: Array(8).fill('x'.repeat(240)) }),
    );
    const frame = SyncMessage.encode({ type: 'Entries', entries, last: false });
    expect(frame.length).toBeLessThan(MAX_SYNC_FRAME_BYTES * 2);
    const effects: SyncEffect[] = [];
    for (let bytes = 0; bytes < MAX_SYNC_ENTRIES_BYTES + 128 * 1024; bytes += frame.length) {
      effects.push(...step(frame));
    }
    expect(effects.at(-1)).toMatchObject({ type: 'close', code: CloseCode.ProtocolViolation });
  });

  it('sends at most 4 MiB of entries, in frames that the other side accepts, and the rest the next time', () => {
    const data = new Uint8Array(3_900);
    const tickets = [1, 2, 3, 4].map((n) => ({ ticketClass: UniqueId.from(`class ${n}`), data }));
    const peers = Array.from({ length: 300 }, (_, i) => i + 1);
    const full = new Store(peers.map((peer) => testEntry(peer, 0, { tickets })));
    const empty = new Store([]);
    const { frames } = runExchange(empty, full);
    const bytes = frames.filter(({ from }) => from === 1).reduce((sum, frame) => sum + frame.bytes, 0);
    expect(bytes).toBeLessThan(MAX_SYNC_ENTRIES_BYTES + 64 * 1024);
    expect(Math.max(...frames.map((frame) => frame.bytes))).toBeLessThan(MAX_SYNC_FRAME_BYTES);
    expect(empty.entries.size).toBeLessThan(300);
    runExchange(empty, full);
    expect(empty.content()).toEqual(full.content());
    const sizes = [...full.entries.values()].map((entry) => SignedPeerEntry.encode(entry).length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16 * 1024);
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), fc.boolean(), (frames, initiator) => {
        const exchange = new SyncExchange({ initiator, networkId: NETWORK, view: new Store([testEntry(1)]) });
        exchange.handle({ type: 'opened' });
        for (const frame of frames) exchange.handle({ type: 'frame', frame });
        exchange.drain();
      }),
    );
  });
});
