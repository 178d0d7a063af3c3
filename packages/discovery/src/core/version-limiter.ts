import type { PeerId, SignedPeerEntry } from '@mosaik/wire';

/** One version per origin in so many milliseconds. */
const PERIOD_MS = 1_000;
/**
 * Versions that may leave at once after a quiet time. Differs from a plain "one per second" because a node changes
 * its entry a few times while it starts (address, tags, group), and a group would wait a second for the last of them.
 */
const BURST = 3;

interface Origin {
  /** When the allowance would be full again if nothing more is taken. */
  fullAtMs: number;
  pending: { entry: SignedPeerEntry; link: number | undefined } | undefined;
}

/** Lets at most one new version per origin and second through, after a burst of three; of those held back, the latest. */
export class VersionLimiter {
  readonly #origins = new Map<PeerId, Origin>();
  readonly #pending = new Set<PeerId>();

  /** Whether `entry` may go now; otherwise it is held in place of any earlier one. */
  offer(entry: SignedPeerEntry, link: number | undefined, nowMs: number): boolean {
    const { peerId } = entry.entry;
    const origin = this.#origins.get(peerId) ?? { fullAtMs: nowMs, pending: undefined };
    this.#origins.set(peerId, origin);
    if (origin.pending || !isAllowed(origin, nowMs)) {
      origin.pending = { entry, link };
      this.#pending.add(peerId);
      return false;
    }
    origin.fullAtMs = Math.max(origin.fullAtMs, nowMs) + PERIOD_MS;
    return true;
  }

  /** What was held back and may go now, each with the link that brought it. */
  release(nowMs: number): { entry: SignedPeerEntry; link: number | undefined }[] {
    const released: { entry: SignedPeerEntry; link: number | undefined }[] = [];
    for (const peer of this.#pending) {
      const origin = this.#origins.get(peer);
      if (!origin?.pending || !isAllowed(origin, nowMs)) continue;
      released.push(origin.pending);
      origin.pending = undefined;
      origin.fullAtMs = Math.max(origin.fullAtMs, nowMs) + PERIOD_MS;
      this.#pending.delete(peer);
    }
    return released;
  }

  nextReleaseMs(): number | undefined {
    let next: number | undefined;
    for (const peer of this.#pending) {
      const origin = this.#origins.get(peer);
      if (origin) next = Math.min(next ?? Number.POSITIVE_INFINITY, allowedAtMs(origin));
    }
    return next;
  }

  /** Drops the origins that nothing is remembered of. */
  forgetIdle(nowMs: number): void {
    for (const [peer, origin] of this.#origins) {
      if (!origin.pending && origin.fullAtMs <= nowMs) this.#origins.delete(peer);
    }
  }
}

function allowedAtMs(origin: Origin): number {
  return origin.fullAtMs - (BURST - 1) * PERIOD_MS;
}

function isAllowed(origin: Origin, nowMs: number): boolean {
  return nowMs >= allowedAtMs(origin);
}
