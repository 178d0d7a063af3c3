import type { GroupId, SignedPeerEntry } from '@mosaik/wire';
import type { Admission } from '../channel.ts';
import type { HandshakeErrorCode } from '../errors.ts';

/** What happened to a handshake. Time passes through `nowMs` of any input; `tick` is nothing but time. */
export type HandshakeInput =
  | { type: 'begin' }
  | { type: 'sent' }
  | { type: 'received'; frame: Uint8Array }
  | { type: 'ended'; closeCode: number | undefined; cause: unknown }
  | { type: 'decided'; admission: Admission; cause?: unknown }
  | { type: 'aborted'; cause: unknown }
  | { type: 'tick' };

/** What to do next, in order. `done` and `fail` are the last. */
export type HandshakeEffect =
  | { type: 'send'; frame: Uint8Array }
  | { type: 'receive' }
  | { type: 'admit'; groupId: GroupId; incarnation: bigint }
  | { type: 'done'; result: HandshakeResult }
  | ({ type: 'fail' } & HandshakeFailure);

export interface HandshakeResult {
  groupId: GroupId;
  /** Entries of the peer's bonded peers. Their signatures are not checked yet. */
  bonds: SignedPeerEntry[];
  /** The peer's log store. */
  incarnation: bigint;
}

export interface HandshakeFailure {
  code: HandshakeErrorCode;
  closeCode: number;
  /** Told to the peer: nothing secret, nothing of the group. */
  reason: string;
  remote: boolean;
  cause?: unknown;
}

/** One side of one handshake: synchronous, without a clock. */
export interface HandshakeMachine {
  handle(input: HandshakeInput, nowMs: number): void;
  drain(): readonly HandshakeEffect[];
  nextDeadlineMs(): number | undefined;
}
