import { blake3 } from '@noble/hashes/blake3.js';
import { orderedSet, struct, variants } from '../codec/composites.ts';
import { id, safeU64 } from '../codec/primitives.ts';
import type { Infer } from '../codec/schema.ts';
import type { PeerId } from '../ids.ts';

/** Who counts: the members that the bonds give, or an explicit set. */
export const QuorumConfig = variants('QuorumConfig', {
  Dynamic: null,
  Voters: { voters: orderedSet(id<PeerId>(), { max: 64 }), witnesses: orderedSet(id<PeerId>(), { max: 1 }) },
});
export type QuorumConfig = Infer<typeof QuorumConfig>;

/** What all members of a group must agree on: part of the group's identity, every field. */
export const ConsensusConfig = struct('ConsensusConfig', {
  heartbeatIntervalMs: safeU64,
  heartbeatJitterMs: safeU64,
  maxMissedHeartbeats: safeU64,
  electionTimeoutMs: safeU64,
  electionTimeoutJitterMs: safeU64,
  bootstrapDelayMs: safeU64,
  forwardTimeoutMs: safeU64,
  queryTimeoutMs: safeU64,
  quorum: QuorumConfig,
  maxCommandBytes: safeU64,
  maxSessions: safeU64,
});
export type ConsensusConfig = Infer<typeof ConsensusConfig>;

/** BLAKE3 of the configuration's postcard bytes. */
export function consensusDigest(config: ConsensusConfig): Uint8Array {
  return blake3(ConsensusConfig.encode(config));
}
