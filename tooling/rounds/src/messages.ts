import type { LedgerEntry } from './ledger.ts';

/** How a member process is started. */
export interface MemberStart {
  readonly directory: string;
  /** 64 hex digits each. */
  readonly groupKey: string;
  readonly secretKey: string;
  readonly voters: readonly string[];
  readonly listen: string;
  readonly advertise: string;
  readonly bootstrap: readonly string[];
  /** Planted, so that the check can be seen to fail: the member acknowledges and keeps nothing. */
  readonly forgets: boolean;
}

export type Request =
  | { readonly type: 'write'; readonly key: string; readonly id: string }
  | { readonly type: 'read'; readonly key: string }
  /** Everything that is applied here. */
  | { readonly type: 'all' }
  | { readonly type: 'status' };

export interface MemberStatus {
  readonly online: boolean;
  readonly leads: boolean;
  readonly state: string;
  readonly problem: string | undefined;
  readonly committed: number;
  readonly applied: number;
  readonly term: number;
}

/** What a member did by itself. */
export type Deed = 'took a snapshot' | 'installed a snapshot';

/** From a member to its parent. */
export type Report =
  | { readonly ready: true }
  | { readonly deed: Deed }
  | { readonly call: number; readonly answer: Answer };

export interface Answer {
  readonly index?: number;
  readonly entries?: readonly LedgerEntry[];
  readonly status?: MemberStatus;
  /** A `GroupError`'s code. */
  readonly error?: string;
}
