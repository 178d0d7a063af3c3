import {
  type AnnounceMessage,
  type BondId,
  type BondMessage,
  type ConsensusConfig,
  type GroupId,
  type HandshakeEnd,
  type HandshakeStart,
  type Id,
  idFromBytes,
  type NetworkId,
  type PeerEntry,
  type PeerId,
  type SignedPeerEntry,
  type SyncMessage,
  type UniqueId,
} from '@mosaik/wire';

// Some of the values that tooling/vectors encodes.

export function sampleId<I extends Id<string>>(byte: number): I {
  return idFromBytes<I>(new Uint8Array(32).fill(byte));
}

function fill(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

export const sampleEntry: PeerEntry = {
  peerId: sampleId<PeerId>(1),
  protocolVersion: 1,
  networkId: sampleId<NetworkId>(2),
  version: { startMs: 1_900_000_000_000, updateMs: 1_900_000_000_300 },
  addresses: ['127.0.0.1:4433', '[::1]:4433'],
  tags: [sampleId<UniqueId>(3), sampleId<UniqueId>(9)],
  groups: [sampleId<GroupId>(4), sampleId<GroupId>(200)],
  tickets: [{ ticketClass: sampleId<UniqueId>(5), data: fill(130, 0xff) }],
  departed: false,
};

export const sampleSigned: SignedPeerEntry = { entry: sampleEntry, signature: fill(64, 6) };

export const sampleStart: HandshakeStart = {
  networkId: sampleId<NetworkId>(2),
  groupId: sampleId<GroupId>(7),
  proof: fill(32, 8),
  bonds: fill(200, 1),
  incarnation: 2n ** 64n - 1n,
};

export const sampleEnd: HandshakeEnd = { proof: fill(32, 8), bonds: fill(0, 0), incarnation: 0n };

const dynamic: ConsensusConfig = {
  heartbeatIntervalMs: 500,
  heartbeatJitterMs: 150,
  maxMissedHeartbeats: 10,
  electionTimeoutMs: 2000,
  electionTimeoutJitterMs: 500,
  bootstrapDelayMs: 3000,
  forwardTimeoutMs: 2000,
  queryTimeoutMs: 2000,
  quorum: { type: 'Dynamic' },
  maxCommandBytes: 1 << 20,
  maxSessions: 10_000,
};

const ids = (...bytes: number[]) => bytes.map((byte) => sampleId<PeerId>(byte));

export const sampleConfigs = {
  dynamic,
  voters: { ...dynamic, quorum: { type: 'Voters', voters: ids(1, 2, 3), witnesses: ids(3) } },
} satisfies Record<string, ConsensusConfig>;

const edge: [BondId, PeerId] = [sampleId<BondId>(1), sampleId<PeerId>(2)];

export const sampleBondMessages: { readonly [K in BondMessage['type']]: BondMessage & { type: K } } = {
  Ping: { type: 'Ping' },
  Pong: { type: 'Pong' },
  Departure: { type: 'Departure' },
  PeerEntryUpdate: { type: 'PeerEntryUpdate', value: sampleSigned },
  BondFormed: { type: 'BondFormed', value: edge },
  Raft: { type: 'Raft', value: Uint8Array.of(1, 2, 3) },
  BondLost: { type: 'BondLost', value: edge },
};

const networkId = sampleId<NetworkId>(2);

export const sampleSyncMessages: { readonly [K in SyncMessage['type']]: SyncMessage & { type: K } } = {
  Start: { type: 'Start', networkId },
  Digest: {
    type: 'Digest',
    networkId,
    versions: [{ peerId: sampleId<PeerId>(1), version: { startMs: 300, updateMs: 1 } }],
  },
  Request: { type: 'Request', peers: ids(2, 1) },
  Entries: { type: 'Entries', entries: [sampleSigned], last: true },
};

export const sampleAnnounceMessages: {
  readonly [K in AnnounceMessage['type']]: AnnounceMessage & { type: K };
} = {
  Hello: { type: 'Hello', networkId },
  Entry: { type: 'Entry', value: sampleSigned },
};
