import type { PeerId, RaftBody } from '@mosaik/wire';

export type StatusBody = Extract<RaftBody, { type: 'Status' }>;

/** A bonded peer, as it last described itself. */
export interface Peer {
  readonly id: PeerId;
  incarnation: bigint;
  /** Undefined until its first one arrives. */
  status: StatusBody | undefined;
  /** Since when it is on another side than this member; undefined while it is not. */
  foreignSinceMs: number | undefined;
}
