import {
  Alpn,
  AnnounceMessage,
  CloseCode,
  type NetworkId,
  type SignedPeerEntry,
  SyncMessage,
  UniqueId,
} from '@mosaik/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testEntry } from './entries.ts';
import { RawPeer } from './raw-peer.ts';
import { known, knowsAll, NETWORK, testKey, World } from './world.ts';

const ELSEWHERE = UniqueId.from<NetworkId>('elsewhere');

async function twoNodesAndAStranger() {
  const world = new World();
  const [a, b] = await world.chain(2);
  await world.clock.advance(1_000);
  const stranger = await world.listen(66);
  const dial = (alpn: string) => RawPeer.dial(world, stranger.endpoint, a.address, alpn);
  const stillWell = async () => {
    b.discovery.addTags([`tag ${world.clock.nowMs()}`]);
    const { tags } = b.discovery.local.value.entry;
    await world.clock.until(() => a.discovery.entry(b.id)?.entry.tags.length === tags.length, 2_000);
    expect(known(a)).toEqual([b.id]);
    expect(known(b)).toEqual([a.id]);
  };
  return { world, a, b, stranger, dial, stillWell };
}

function entryMessage(value: SignedPeerEntry): Uint8Array {
  return AnnounceMessage.encode({ type: 'Entry', value });
}

describe('a peer of another network', () => {
  it('is refused with 101 before it is shown anything, on both protocols', async () => {
    const { world, dial, stillWell } = await twoNodesAndAStranger();
    const sync = await dial(Alpn.discoverySync);
    sync.start(ELSEWHERE);
    const announce = await dial(Alpn.discoveryAnnounce);
    announce.hello(ELSEWHERE);
    await world.clock.until(() => sync.closed !== undefined && announce.closed !== undefined, 100);
    expect([sync.closed?.code, announce.closed?.code]).toEqual([101, 101]);
    expect([sync.frames, announce.frames]).toEqual([[], []]);
    await stillWell();
  });

  it('learns nothing as an acceptor either: a node names its network and waits', async () => {
    const world = new World();
    const foreign = await world.node(1, { networkId: ELSEWHERE });
    const a = await world.node(2, { bootstrap: [foreign.address] });
    await expect(world.settle(a.discovery.syncWith(foreign.address))).rejects.toMatchObject({
      code: 'different-network',
      closeCode: CloseCode.DifferentNetwork,
    });
    await world.clock.advance(60_000);
    expect([known(a), known(foreign)]).toEqual([[], []]);
  });

  it('cannot slip its entries in through a peer of this one', async () => {
    const { world, dial, stillWell } = await twoNodesAndAStranger();
    const announce = await dial(Alpn.discoveryAnnounce);
    announce.hello(NETWORK);
    announce.link.write(entryMessage(testEntry(66, 0, { networkId: ELSEWHERE })));
    await world.clock.until(() => announce.closed !== undefined, 100);
    expect(announce.closed?.code).toBe(CloseCode.ProtocolViolation);
    await stillWell();
  });
});

describe('bytes that no honest peer sends', () => {
  const forged = { ...testEntry(50), signature: new Uint8Array(64) };
  const stolen = {
    entry: { ...testEntry(50).entry, peerId: testKey(51).id },
    signature: testEntry(50).signature,
  };

  it.each<[string, Uint8Array[]]>([
    ['an entry with a wrong signature', [entryMessage(forged)]],
    ["an entry under another peer's name", [entryMessage(stolen)]],
    ['a second greeting', [AnnounceMessage.encode({ type: 'Hello', networkId: NETWORK })]],
    ['garbage', [Uint8Array.of(7, 7, 7)]],
    ['an empty frame', [new Uint8Array()]],
    ['a truncated entry', [entryMessage(testEntry(50)).subarray(0, 100)]],
    ['a frame above the limit', [new Uint8Array(64 * 1024 + 1)]],
  ])('close an announce link with 400: %s', async (_, frames) => {
    const { world, a, dial, stillWell } = await twoNodesAndAStranger();
    const peer = await dial(Alpn.discoveryAnnounce);
    peer.hello(NETWORK);
    for (const frame of frames) peer.link.write(frame);
    await world.clock.until(() => peer.closed !== undefined, 100);
    expect(peer.closed).toMatchObject({ code: CloseCode.ProtocolViolation, remote: true });
    expect(a.discovery.entry(testKey(50).id)).toBeUndefined();
    await stillWell();
  });

  it.each<[string, () => Uint8Array[]]>([
    ['garbage', () => [Uint8Array.of(200, 200, 200)]],
    ['a start above the limit', () => [new Uint8Array(1025)]],
    ['entries before the start', () => [SyncMessage.encode({ type: 'Entries', entries: [], last: true })]],
    [
      'an entry with a wrong signature',
      () => [
        SyncMessage.encode({ type: 'Start', networkId: NETWORK }),
        SyncMessage.encode({ type: 'Request', peers: [] }),
        SyncMessage.encode({ type: 'Entries', entries: [forged], last: true }),
      ],
    ],
    [
      'a digest that is longer than any catalog',
      () => [
        SyncMessage.encode({ type: 'Start', networkId: NETWORK }),
        Uint8Array.of(2, 255, 255, 255, 255, 15),
      ],
    ],
  ])('close a catalog exchange with 400: %s', async (_, frames) => {
    const { world, dial, stillWell } = await twoNodesAndAStranger();
    const peer = await dial(Alpn.discoverySync);
    for (const frame of frames()) {
      peer.link.write(frame);
      await world.clock.advance(5);
    }
    await world.clock.until(() => peer.closed !== undefined, 100);
    expect(peer.closed).toMatchObject({ code: CloseCode.ProtocolViolation, remote: true });
    await stillWell();
  });

  it('never crash a node, whatever they are', async () => {
    const { world, dial, stillWell } = await twoNodesAndAStranger();
    const input = fc.tuple(
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
    );
    await fc.assert(
      fc.asyncProperty(input, async ([sync, greet, frames]) => {
        const peer = await dial(sync ? Alpn.discoverySync : Alpn.discoveryAnnounce);
        if (greet && sync) peer.start(NETWORK);
        if (greet && !sync) peer.hello(NETWORK);
        for (const frame of frames) peer.link.write(frame);
        await world.clock.advance(10);
        await peer.connection.close(CloseCode.Success);
      }),
      { numRuns: 60 },
    );
    await stillWell();
  });

  it('are refused by feed with false, not with an exception', async () => {
    const { a } = await twoNodesAndAStranger();
    expect(a.discovery.feed(forged)).toBe(false);
    expect(a.discovery.feed(stolen, { fromSubject: true })).toBe(false);
    expect(a.discovery.feed(testEntry(52, 0, { networkId: ELSEWHERE }))).toBe(false);
    expect(a.discovery.feed(testEntry(1))).toBe(false);
  });
});

describe('a silent peer', () => {
  it('is cut off at the deadline of its own connection, and delays nobody', async () => {
    const { world, dial, stillWell } = await twoNodesAndAStranger();
    const silent = [
      await dial(Alpn.discoverySync),
      await dial(Alpn.discoverySync),
      await dial(Alpn.discoveryAnnounce),
    ];
    silent[1]?.start(NETWORK);
    await stillWell();
    const c = await world.node(3, { bootstrap: ['127.0.0.1:7001'] });
    await world.clock.until(() => known(c).length === 2, 100);
    await world.clock.until(() => silent.every(({ closed }) => closed !== undefined), 10_000);
    expect(silent.map(({ closed }) => closed?.code)).toEqual([30408, 30408, 30408]);
  });

  it('as a bootstrap address keeps nobody from finding the others', async () => {
    const world = new World();
    await world.listen(60);
    await world.listen(61);
    const a = await world.node(1);
    const b = await world.node(2, {
      bootstrap: ['127.0.0.1:7060', '127.0.0.1:9', '127.0.0.1:7061', a.address],
    });
    await world.clock.until(() => knowsAll([a, b]), 100);
  });

  it('that takes more than its share of connections loses its oldest', async () => {
    const { world, dial, stillWell } = await twoNodesAndAStranger();
    const peers: RawPeer[] = [];
    for (let i = 0; i < 5; i += 1) {
      const peer = await dial(Alpn.discoverySync);
      peer.start(NETWORK);
      peers.push(peer);
      await world.clock.advance(5);
    }
    expect(peers.map(({ closed }) => closed?.code)).toEqual([102, 102, 102, undefined, undefined]);
    await stillWell();
  });

  it('that never reads what is announced is closed instead of buffered for', async () => {
    const world = new World();
    const a = await world.node(1);
    const stranger = await world.listen(66);
    const connection = await world.settle(stranger.endpoint.connect(a.address, Alpn.discoveryAnnounce));
    const link = await connection.openLink();
    link.write(AnnounceMessage.encode({ type: 'Hello', networkId: NETWORK }));
    let code: number | undefined;
    void connection.closed.then((reason) => {
      code = reason.code;
    });
    const data = new Uint8Array(4_000);
    const tickets = [1, 2, 3].map((n) => ({ ticketClass: UniqueId.from(`${n}`), data }));
    for (let round = 0; code === undefined && round < 1_000; round += 1) {
      a.discovery.feed(testEntry(100 + (round % 50), round, { tickets }));
      if (round % 50 === 49) await world.clock.advance(1_000);
    }
    expect(code).toBe(CloseCode.Timeout);
  });
});

describe('many peers that nobody met', () => {
  it('fill the catalog to its limit and displace no peer that was met', async () => {
    const world = new World();
    const a = await world.node(1, { maxCatalogSize: 10 });
    const b = await world.node(2, { bootstrap: [a.address] });
    await world.clock.until(() => knowsAll([a, b]), 100);
    for (let i = 0; i < 40; i += 1) a.discovery.feed(testEntry(100 + i));
    expect([...a.discovery.entries()]).toHaveLength(10);
    expect(known(a)).toContain(b.id);
  });
});
