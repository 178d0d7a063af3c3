import { derive, type PeerId, type Ticket, UniqueId } from '@mosaik/wire';
import { systemClock } from '@mosaik/wire/runtime';
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import {
  type Expiration,
  InvalidTicket,
  type InvalidTicketReason,
  type TicketValidator,
} from '../tickets.ts';
import { JWT_TICKET_CLASS, type JwtInit } from './options.ts';

/**
 * Admits peers that hold a JSON Web Token (RFC 7519) issued for them: `sub` must be the peer's id.
 *
 * The validator's signature, and with it the group's id, covers everything of `init` that decides, except the key, so
 * that keys can be rotated without splitting the group, and the revocation hook.
 *
 * @throws TypeError when no algorithm or no issuer is given.
 */
export function jwt(init: JwtInit): TicketValidator {
  if (init.algorithms.length === 0) throw new TypeError('jwt: algorithms names at least one algorithm');
  if (!init.issuer) throw new TypeError('jwt: issuer is missing');
  const clock = init.clock ?? systemClock;
  const toleranceMs = init.clockToleranceMs ?? 0;
  const options: JWTVerifyOptions = {
    algorithms: [...init.algorithms],
    issuer: init.issuer,
    clockTolerance: toleranceMs / 1000,
    ...(init.audience === undefined ? {} : { audience: init.audience }),
  };
  return {
    ticketClass: init.ticketClass ?? UniqueId.from<UniqueId>(JWT_TICKET_CLASS),
    signature: signatureOf(init),
    ...(init.onRevoked ? { onRevoked: init.onRevoked } : {}),
    async validate(ticket, peer, { signal }): Promise<Expiration> {
      signal.throwIfAborted();
      const now = clock.wallMs();
      const claims = await verify(ticket, peer, init, {
        ...options,
        subject: peer,
        currentDate: new Date(now),
      });
      if (await isRevoked(init, peer, claims)) throw new InvalidTicket('revoked', 'ticket was revoked');
      return claims.exp === undefined ? 'never' : new Date(claims.exp * 1000 + toleranceMs);
    },
  };
}

async function verify(
  ticket: Ticket,
  peer: PeerId,
  init: JwtInit,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(ticket.data, init.key, options);
    return payload;
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new InvalidTicket(reason, `ticket of ${peer.slice(0, 8)} refused: ${reason}`, { cause });
  }
}

async function isRevoked(init: JwtInit, peer: PeerId, claims: JWTPayload): Promise<boolean> {
  try {
    return (await init.revoked?.({ peer, claims })) ?? false;
  } catch (cause) {
    throw new InvalidTicket('unavailable', 'the revocation hook failed', { cause });
  }
}

const CLAIM_REASONS: Readonly<Record<string, InvalidTicketReason>> = {
  iss: 'issuer',
  aud: 'audience',
  sub: 'subject',
  nbf: 'not-yet-valid',
  exp: 'expired',
};

function reasonOf(error: unknown): InvalidTicketReason {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) return CLAIM_REASONS[error.claim] ?? 'malformed';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JWKSNoMatchingKey)
    return 'signature';
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'malformed';
  if (error instanceof errors.JOSENotSupported) return 'malformed';
  return 'unavailable';
}

function signatureOf(init: JwtInit): UniqueId {
  const { algorithms, issuer, audience = null, clockToleranceMs = 0, ticketClass = null } = init;
  const settings = [[...algorithms].sort(), issuer, audience, clockToleranceMs, ticketClass];
  return derive(UniqueId.from<UniqueId>(JWT_TICKET_CLASS), JSON.stringify(settings));
}
