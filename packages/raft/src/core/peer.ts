import type { PeerId, RaftBody } from '@mosaik/wire';

/** What a member says of itself. */
export type Standing = Omit<Extract<RaftBody, { type: 'Status' }>, 'type'>;

/** A bonded peer, as it last described itself. */
export interface Peer {
  readonly id: PeerId;
  incarnation: bigint;
  /** Undefined until its first one arrives. */
  status: Standing | undefined;
  /** Since when it is on another side than this member; undefined while it is not. */
  foreignSinceMs: number | undefined;
  /** It handed leadership over because it leaves. */
  leaving: boolean;
}
