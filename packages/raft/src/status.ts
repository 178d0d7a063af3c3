import type { PeerId } from '@mosaik/wire';

export type Role = 'leader' | 'follower' | 'candidate';

/** One immutable picture of a member; a new one at most once per turn. */
export interface RaftStatus {
  /** `diverged`: met a conflicting side and stopped; `failed`: found a broken promise, or its machine threw. */
  readonly state: 'running' | 'diverged' | 'failed' | 'closed';
  /** What an operator should know: why it stopped, or why it does not count. */
  readonly problem?: string | undefined;
  readonly role: Role;
  readonly term: number;
  readonly leader?: PeerId | undefined;
  /** It leads, or is a caught-up follower of a known leader. */
  readonly online: boolean;
  readonly committed: number;
  readonly applied: number;
  /** Of the last entry; zeros for an empty log. */
  readonly logPosition: { readonly term: number; readonly index: number };
  /** `have`: members of the set in force that are reached, this one included; `need`: its majority. */
  readonly quorum: { readonly mode: 'dynamic' | 'voters'; readonly have: number; readonly need: number };
  /** The set in force: the view, or the voters. */
  readonly members: readonly PeerId[];
  /** A leader that does not reach a majority: it acknowledges nothing. */
  readonly suspended: boolean;
}
