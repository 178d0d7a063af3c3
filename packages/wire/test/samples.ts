import {
  type ConsensusConfig,
  type GroupId,
  type Id,
  idFromBytes,
  type NetworkId,
  type PeerEntry,
  type PeerId,
  type SignedPeerEntry,
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

export const sampleConfig: ConsensusConfig = {
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
