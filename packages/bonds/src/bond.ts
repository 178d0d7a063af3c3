import type { CloseReason } from '@mosaik/transport';
import type { BondId, PeerId } from '@mosaik/wire';

/** One authenticated, monitored connection between this node and another member of a group. */
export interface Bond {
  /** The same at both ends, derived from the group key and both peers. */
  readonly id: BondId;
  readonly peer: PeerId;
  /** The peer's log store: another one than before means that it forgot. */
  readonly incarnation: bigint;
  /** Smoothed round trip in milliseconds, undefined until measured. */
  readonly rttMs: number | undefined;
  /** When it was proven, on the local monotonic clock. */
  readonly formedAtMs: number;
  /** Ends the bond with 102 Cancelled. A member that is still there is dialled again. */
  close(reason?: string): void;
  /** Resolves once, never rejects. */
  readonly closed: Promise<CloseReason>;
}

/** Why a bond is gone. */
export interface BondDownReason extends CloseReason {
  /** The peer said goodbye, rather than being lost. */
  readonly departed: boolean;
}
