/**
 * `@mosaik/groups`: availability groups. Nodes that share a `GroupKey` bond with each other, elect a leader and
 * replicate a state machine.
 */
export type { Bond, Bonds } from '@mosaik/bonds';
export { type Expiration, GroupKey, InvalidTicket, type TicketValidator } from '@mosaik/handshake';
export {
  type ApplyContext,
  type CompactionOptions,
  type ConsensusOptions,
  consensus,
  type LogStorage,
  logReplay,
  memoryLogStorage,
  type Preference,
  type RaftStatus,
  type Reverted,
  type StateMachine,
  type StateOffer,
  type StateSync,
  type StateSyncHost,
  type StateTransfer,
  snapshotSync,
} from '@mosaik/raft';
export type { GroupBuilder, MachineGroupBuilder } from './builder.ts';
export { CursorWatcher } from './cursor-watcher.ts';
export type { GroupDirectory } from './discovery-port.ts';
export { GroupError, type GroupErrorCode } from './errors.ts';
export {
  type ExecuteOptions,
  Group,
  type GroupBonds,
  type QueryAnswer,
  type QueryOptions,
} from './group.ts';
export { Groups, type GroupsInit } from './groups.ts';
export {
  KeyValueCommand,
  type KeyValueEntry,
  type KeyValueMachine,
  KeyValueOutput,
  KeyValueQuery,
  KeyValueResult,
  keyValue,
} from './machines/key-value.ts';
export { type NoOp, noOp } from './machines/no-op.ts';
export type { GroupCloseReason } from './member.ts';
export { Voters } from './voters.ts';
export type { WaitOptions } from './wait-for.ts';
export { When } from './when.ts';
