import type { BondId, GroupId, NetworkId, PeerId } from '@mosaik/wire';

/** Body of `GET /v1/status` and of the `status` events, without `state` in the latter. */
export interface NodeStatus {
  readonly peerId: PeerId;
  readonly networkId: NetworkId;
  /** The name that the operator gave the network. */
  readonly network: string;
  readonly groupId: GroupId;
  /** `diverged`: its side gave way to another, and the machine could not be taken back. */
  readonly health: 'running' | 'diverged' | 'failed' | 'closed';
  /** What an operator should know: why it stopped, or why it does not count. */
  readonly problem?: string;
  readonly role: 'leader' | 'follower' | 'candidate';
  readonly term: number;
  readonly leader: PeerId | null;
  /** It leads, or is a caught-up follower of a known leader. */
  readonly online: boolean;
  readonly committed: number;
  readonly applied: number;
  readonly logPosition: { readonly term: number; readonly index: number };
  readonly quorum: { readonly mode: 'dynamic' | 'voters'; readonly have: number; readonly need: number };
  /** Who counts: the view that follows the bonds, or the voters. */
  readonly members: readonly PeerId[];
  /** Of a group with an explicit set: what it began with, and what it is now. */
  readonly voters?: Omit<VotersBody, 'mode'>;
  /** Commands that this member gave up since it started, because its side lost to another; absent while none. */
  readonly reverted?: number;
  readonly bonds: readonly BondDescription[];
  /** Every bond of the group that this node knows of. */
  readonly topology: readonly (readonly [PeerId, PeerId])[];
  readonly addresses: readonly string[];
  readonly version: string;
  readonly uptimeMs: number;
  /** The replicated map: equal digests, equal content. Null when the group is closed. */
  readonly state?: StateDescription | null;
}

export interface BondDescription {
  readonly peerId: PeerId;
  readonly bondId: BondId;
  /** Null until measured. */
  readonly rttMs: number | null;
  readonly ageMs: number;
}

export interface StateDescription {
  readonly digest: string;
  /** Number of keys. */
  readonly size: number;
  /** The last log entry that the digest includes. */
  readonly applied: number;
}

export interface LeaderBody {
  readonly leader: PeerId | null;
  readonly term: number;
}

/** Body of `GET /v1/voters`. */
export interface VotersBody {
  readonly mode: 'dynamic' | 'voters';
  /** Who counts: the voters, or the view that follows the bonds. */
  readonly voters: readonly PeerId[];
  /** The list that is part of the group's identity; empty in a dynamic group. */
  readonly genesis: readonly PeerId[];
  /** Of the same: who keeps the log without a state. */
  readonly witnesses: readonly PeerId[];
  /** Voters that will count as soon as they have caught up. */
  readonly learners: readonly PeerId[];
  /** The last change is not committed yet. */
  readonly changing: boolean;
}

export interface PeerDescription {
  readonly peerId: PeerId;
  readonly addresses: readonly string[];
  readonly tags: readonly string[];
  readonly groups: readonly GroupId[];
  /** Whether this node has a bond with it in its group. */
  readonly bonded: boolean;
}
