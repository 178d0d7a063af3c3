import type { PeerId, Ticket, UniqueId } from '@mosaik/wire';

/** Until when a ticket admits its peer. */
export type Expiration = Date | 'never';

export type InvalidTicketReason =
  /** The peer's entry holds no ticket of the class. */
  | 'missing'
  | 'malformed'
  | 'signature'
  | 'expired'
  | 'not-yet-valid'
  | 'issuer'
  | 'audience'
  /** Issued for another peer. */
  | 'subject'
  | 'revoked'
  /** Could not be decided: a key or a revocation list was out of reach. */
  | 'unavailable';

/** A ticket that does not admit its peer, and why: for the local log and metrics, not for the peer. */
export class InvalidTicket extends Error {
  override readonly name = 'InvalidTicket';
  readonly reason: InvalidTicketReason;

  constructor(reason: InvalidTicketReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * Narrows a group further than its key does: every member must hold a valid ticket of the validator's class in its
 * signed discovery entry.
 */
export interface TicketValidator {
  /** Which of a peer's tickets this validator is asked about. */
  readonly ticketClass: UniqueId;
  /** Names what is validated and how. Part of the group's identity, so it must be equal on all members. */
  readonly signature: UniqueId;
  /**
   * Decides whether `ticket` admits `peer`. A validator must bind the ticket to the peer: entries are public, and a
   * ticket that is not bound could be copied from one.
   *
   * @throws InvalidTicket
   */
  validate(ticket: Ticket, peer: PeerId, options: { signal: AbortSignal }): Promise<Expiration>;
  /**
   * Calls `listener` whenever tickets may have been revoked, until the returned function is called: bonds are then
   * checked again at once. A validator without it is asked again only when an entry changes or a ticket expires.
   */
  onRevoked?(listener: () => void): () => void;
}
