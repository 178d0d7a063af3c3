import { type Ticket, UniqueId } from '@mosaik/wire';
import { systemClock } from '@mosaik/wire/runtime';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { SignJWT } from 'jose';
import { type IssueTicketInit, JWT_TICKET_CLASS } from './options.ts';

/**
 * Signs a JWT that admits one peer, as a ticket for that peer's discovery entry.
 *
 * @throws whatever jose throws when the key does not fit the algorithm.
 */
export async function issueTicket(init: IssueTicketInit): Promise<Ticket> {
  const clock = init.clock ?? systemClock;
  const header = init.keyId === undefined ? {} : { kid: init.keyId };
  const token = new SignJWT()
    .setProtectedHeader({ alg: init.algorithm, ...header })
    .setSubject(init.peer)
    .setIssuer(init.issuer)
    .setIssuedAt(seconds(clock.wallMs()));
  if (init.audience !== undefined) token.setAudience(init.audience);
  if (init.expires !== 'never') token.setExpirationTime(seconds(init.expires.getTime()));
  if (init.ticketId !== undefined) token.setJti(init.ticketId);
  const ticketClass = init.ticketClass ?? UniqueId.from<UniqueId>(JWT_TICKET_CLASS);
  return { ticketClass, data: utf8ToBytes(await token.sign(init.key)) };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
