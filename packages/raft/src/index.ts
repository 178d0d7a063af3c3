/**
 * `@mosaik/raft`: one replicated log for the members of a group.
 *
 * `RaftNode` is a member; it is told of bonds and messages and sends through a port. The protocol itself is a pure core
 * (`src/core`): no clock, randomness or I/O of its own.
 */
export type { CallOptions, ExecuteOptions, QueryOptions } from './call-options.ts';
export type { CompactionOptions } from './compaction.ts';
export type { Lane, RaftComponents } from './components.ts';
export { type ConsensusOptions, consensus } from './consensus.ts';
export { RaftError, type RaftErrorCode } from './errors.ts';
export { type ForcedGroup, type ForceNewGroupInit, forceNewGroup } from './force-new-group.ts';
export { assertJoinable, type JoinPlan } from './joinable.ts';
export { RaftNode } from './node.ts';
export type { RaftNodeInit } from './node-init.ts';
export { DEFAULT_RELUCTANT_FACTOR, type Preference } from './preference.ts';
export type { Reverted } from './reverted.ts';
export type { ApplyContext, StateMachine } from './state-machine.ts';
export {
  LOG_REPLAY_SIGNATURE,
  logReplay,
  type StateOffer,
  type StateSync,
  type StateSyncHost,
  type StateTransfer,
  snapshotSync,
} from './state-sync.ts';
export type { RaftStatus, Role, VoterSet } from './status.ts';
export type {
  HardState,
  LogStorage,
  LogWrite,
  StoredLog,
  StoredRun,
  StoredSnapshot,
} from './storage/log-storage.ts';
export { memoryLogStorage } from './storage/memory.ts';
