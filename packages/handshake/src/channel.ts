import type { GroupId, PeerId } from '@mosaik/wire';

/**
 * What a handshake runs over: whole frames to and from one peer, in order. The channel must be encrypted, must have
 * authenticated the peer, and must give both ends a secret that no other channel has.
 */
export interface HandshakeChannel {
  send(frame: Uint8Array): Promise<void>;
  /** The next frame; undefined when the peer ended the channel. May reject; a `closeCode` on the error is passed on. */
  receive(options?: { signal?: AbortSignal }): Promise<Uint8Array | undefined>;
  /** Ends the channel in both directions and tells the peer why. */
  close(code: number, reason: string): Promise<void>;
}

/** What `admit` is asked: may this peer, which knows the group key, be bonded with now? */
export interface AdmissionRequest {
  remoteId: PeerId;
  groupId: GroupId;
  /** The peer's log store: another one than before means that it forgot. */
  incarnation: bigint;
  /** Aborts when the handshake ends for another reason. */
  signal: AbortSignal;
}

/** Admitted, or refused with the code and reason that the peer is told. */
export type Admission = { ok: true } | { ok?: false; closeCode: number; reason: string };

/** Where tickets and "already bonded" are decided. Called only after the peer's proof. A throw counts as a refusal. */
export type Admit = (request: AdmissionRequest) => Promise<Admission>;
