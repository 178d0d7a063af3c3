import type { PeerId, UniqueId } from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';
import type { CryptoKey, JWK, JWTPayload, JWTVerifyGetKey, KeyObject } from 'jose';

/** A key as jose takes it: WebCrypto or node key object, JWK, or the bytes of a symmetric secret. */
export type JwtKey = CryptoKey | KeyObject | JWK | Uint8Array;

export interface JwtInit {
  /** Verifies the signatures; or a function that finds the key, such as jose's `createRemoteJWKSet`. */
  key: JwtKey | JWTVerifyGetKey;
  /** Signature algorithms accepted, such as `['EdDSA']`. Never taken from the token. At least one. */
  algorithms: readonly string[];
  /** Required `iss`. */
  issuer: string;
  /** Required `aud`; default: not looked at. */
  audience?: string | undefined;
  /** Which of a peer's tickets to look at; default `mosaik/ticket/jwt/1`. */
  ticketClass?: UniqueId | undefined;
  /** Allowed difference of the issuer's clock, in milliseconds; default 0. */
  clockToleranceMs?: number | undefined;
  /**
   * Whether a token that is valid otherwise was taken back. Asked on every validation; a throw refuses the ticket
   * with `unavailable`.
   */
  revoked?: ((ticket: { peer: PeerId; claims: JWTPayload }) => boolean | Promise<boolean>) | undefined;
  /**
   * Tells when `revoked` may answer differently, so that bonds end at once: as `TicketValidator.onRevoked`. Without it
   * the hook is asked again when the peer's entry changes or its ticket expires.
   */
  onRevoked?: ((listener: () => void) => () => void) | undefined;
  /** Default: this machine's. */
  clock?: Clock | undefined;
}

export interface IssueTicketInit {
  /** Signs the ticket. */
  key: CryptoKey | KeyObject | JWK | Uint8Array;
  /** Signature algorithm, such as `'EdDSA'`. */
  algorithm: string;
  /** The only peer that the ticket admits: its `sub`. */
  peer: PeerId;
  issuer: string;
  audience?: string | undefined;
  /** Until when it admits: a time, or `'never'` for a ticket that only revocation ends. */
  expires: Date | 'never';
  /** `jti`: a name to revoke it by. */
  ticketId?: string | undefined;
  /** `kid` of the header, for validators with several keys. */
  keyId?: string | undefined;
  /** As the validator's. */
  ticketClass?: UniqueId | undefined;
  /** Default: this machine's. */
  clock?: Clock | undefined;
}

export const JWT_TICKET_CLASS = 'mosaik/ticket/jwt/1';
