import type { PeerId } from '@mosaik/wire';
import type { Clock, Logger, Metrics, Rng } from '@mosaik/wire/runtime';

/** Which link of the bond carries a message. The two may overtake each other; each alone keeps its order. */
export type Lane = 'control' | 'bulk';

/** What a member needs from outside. */
export interface RaftComponents {
  /**
   * Hands a message to the bond with `peer`; false when it was not sent (no bond, queue full). The same bytes may be
   * given for several peers and must not be changed. `control` messages are ≤ 60 KiB.
   */
  send(peer: PeerId, message: Uint8Array, lane: Lane): boolean;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: Logger;
  readonly metrics: Metrics;
}
