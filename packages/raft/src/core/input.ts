import type { PeerId, RaftMessage, RaftRequest } from '@mosaik/wire';
import type { Lane } from '../components.ts';
import type { ProposalBatch } from './proposal-batch.ts';
import type { HeldSnapshot } from './snapshot.ts';

/** Everything that can happen to a member. */
export type Input =
  | { type: 'message'; from: PeerId; message: RaftMessage }
  | { type: 'bond-up'; peer: PeerId; incarnation: bigint }
  | { type: 'bond-down'; peer: PeerId; departed: boolean }
  | { type: 'propose'; batch: ProposalBatch }
  /** Opens a session for this life of the member; answered as a proposal of that number. */
  | { type: 'open-session'; number: number; incarnation: bigint }
  /** Linearizable reads, numbered from `first`. */
  | { type: 'read'; first: number; count: number }
  /** Something that only a leader can do. */
  | { type: 'request'; request: number; what: RaftRequest }
  /** The write of the `persist` effect with this number is durable, and all before it. */
  | { type: 'persisted'; seq: number }
  /** The machine has applied up to here; of interest while the member catches up. */
  | { type: 'applied'; to: number }
  /** The applied state as it was at the snapshot's index. */
  | { type: 'snapshot'; snapshot: HeldSnapshot }
  /** What `fetch-state` asked for; undefined when the group's own way could not get it. */
  | { type: 'state'; digest: Uint8Array; chunks: readonly Uint8Array[] | undefined }
  /** A `send` effect could not be carried out. */
  | { type: 'unsent'; to: PeerId; lane: Lane }
  /** This member is about to leave. */
  | { type: 'depart' }
  /** This member can not go on, and tells the others. */
  | { type: 'failed'; problem: string }
  /** Time has passed: looks at the deadlines. */
  | { type: 'tick' };
