import { InvalidTicket, type TicketValidator } from '@mosaik/handshake';
import { CloseCode, type PeerEntry, type SignedPeerEntry } from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';

/** Admitted, until when; or the close code and reason for the peer. */
export type Admission =
  | { readonly ok: true; readonly expiresAtMs?: number }
  | { readonly ok: false; readonly closeCode: number; readonly reason: string };

/**
 * Decides by the tickets in a peer's signed entry: every validator must accept one of its class. The admission ends
 * when the first of them expires.
 *
 * `signal` ends validations under way when the group closes.
 */
export function createAdmission(
  validators: readonly TicketValidator[],
  clock: Clock,
  signal: AbortSignal,
): (peer: SignedPeerEntry) => Promise<Admission> {
  return async ({ entry }) => {
    let expiresAtMs = Number.POSITIVE_INFINITY;
    for (const validator of validators) {
      const verdict = await bestTicket(validator, entry, clock, signal);
      if (typeof verdict === 'string') return { ok: false, closeCode: CloseCode.NotAllowed, reason: verdict };
      expiresAtMs = Math.min(expiresAtMs, verdict);
    }
    return Number.isFinite(expiresAtMs) ? { ok: true, expiresAtMs } : { ok: true };
  };
}

/** When the longest-lived acceptable ticket expires (wall ms), or why there is none. */
async function bestTicket(
  validator: TicketValidator,
  entry: PeerEntry,
  clock: Clock,
  signal: AbortSignal,
): Promise<number | string> {
  let latest: number | undefined;
  let problem = 'ticket missing';
  for (const ticket of entry.tickets) {
    if (ticket.ticketClass !== validator.ticketClass) continue;
    try {
      const expiration = await validator.validate(ticket, entry.peerId, { signal });
      const atMs = expiration === 'never' ? Number.POSITIVE_INFINITY : expiration.getTime();
      if (atMs > clock.wallMs()) latest = Math.max(latest ?? 0, atMs);
      else problem = 'ticket expired';
    } catch (error) {
      // A validator that fails for its own reasons admits nobody, and says no more than that to the peer.
      problem = error instanceof InvalidTicket ? `ticket ${error.reason}` : 'ticket could not be validated';
    }
  }
  return latest ?? problem;
}
