import { CloseCode } from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 5000;
/** After a refusal that only news of the peer, or a change at its operator's, can lift. */
const REFUSED_DELAY_MS = 60_000;

const REFUSALS: ReadonlySet<number> = new Set([
  CloseCode.NotAllowed,
  CloseCode.InvalidProof,
  CloseCode.GroupNotFound,
  CloseCode.DifferentNetwork,
]);

export interface RedialInit {
  /** Why the last attempt or bond ended, when anybody said. */
  closeCode: number | undefined;
  /** Attempts in a row that came to nothing. */
  failures: number;
  handshakeTimeoutMs: number;
  rng: Rng;
}

/** How long to wait before dialling again: jittered exponential backoff from 50 ms to 5 s, or what the refusal asks for. */
export function redialDelayMs({ closeCode, failures, handshakeTimeoutMs, rng }: RedialInit): number {
  if (closeCode !== undefined && REFUSALS.has(closeCode)) return REFUSED_DELAY_MS;
  // The other side believes in a bond that this side does not have: it replaces one of that age.
  if (closeCode === CloseCode.AlreadyBonded) return handshakeTimeoutMs;
  const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 16));
  return delayMs * (0.5 + rng.float() / 2);
}
