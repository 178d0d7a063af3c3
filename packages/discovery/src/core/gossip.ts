import { CloseCode, type PeerId, type SignedPeerEntry } from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import { backoffMs } from './backoff.ts';
import { VersionLimiter } from './version-limiter.ts';

export interface GossipInit {
  readonly localId: PeerId;
  readonly rng: Rng;
  /** Peers that may become neighbours. */
  readonly candidates: (nowMs: number) => Iterable<PeerId>;
  readonly announceIntervalMs: number;
  readonly announceJitterMs: number;
  /** Links dialled; twice as many are accepted. */
  readonly maxNeighbours: number;
}

export type GossipInput =
  | { readonly type: 'tick' }
  /** An announce link is up, both greetings done. `link` is the driver's name for it. */
  | {
      readonly type: 'link-opened';
      readonly link: number;
      readonly peer: PeerId;
      readonly initiator: boolean;
    }
  | { readonly type: 'link-closed'; readonly link: number }
  | { readonly type: 'dial-failed'; readonly peer: PeerId }
  /** The catalog took a new version, from the link that brought it or from elsewhere. */
  | { readonly type: 'accepted'; readonly entry: SignedPeerEntry; readonly link: number | undefined }
  /** The own entry changed. */
  | { readonly type: 'announce'; readonly entry: SignedPeerEntry };

export type GossipEffect =
  | { readonly type: 'dial'; readonly peer: PeerId }
  | { readonly type: 'send'; readonly link: number; readonly entry: SignedPeerEntry }
  | { readonly type: 'close'; readonly link: number; readonly code: number; readonly reason: string }
  /** The announce period is over: sign the own entry anew and announce it. */
  | { readonly type: 'refresh' };

interface Neighbour {
  readonly peer: PeerId;
  readonly initiator: boolean;
  readonly openedAtMs: number;
}

interface Retry {
  readonly failures: number;
  readonly notBeforeMs: number;
}

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 5_000;

/** Who gets which entry when: a bounded set of neighbours, each told what is new, no origin too often. */
export class Gossip {
  readonly #init: GossipInit;
  readonly #links = new Map<number, Neighbour>();
  readonly #dialling = new Set<PeerId>();
  readonly #retries = new Map<PeerId, Retry>();
  readonly #limiter = new VersionLimiter();
  readonly #effects: GossipEffect[] = [];
  #own: SignedPeerEntry;
  #announceAtMs: number;
  #nowMs: number;

  constructor(init: GossipInit, own: SignedPeerEntry, nowMs: number) {
    this.#init = init;
    this.#own = own;
    this.#nowMs = nowMs;
    this.#announceAtMs = this.#nextAnnounceMs(nowMs);
  }

  /** Distinct peers that a link is up with. */
  get neighbours(): number {
    return new Set([...this.#links.values()].map(({ peer }) => peer)).size;
  }

  get links(): readonly number[] {
    return [...this.#links.keys()];
  }

  handle(input: GossipInput, nowMs: number): void {
    this.#nowMs = nowMs;
    switch (input.type) {
      case 'tick':
        break;
      case 'link-opened':
        this.#handleLinkOpened(input, nowMs);
        break;
      case 'link-closed':
        this.#handleLinkClosed(input.link, nowMs);
        break;
      case 'dial-failed':
        this.#dialling.delete(input.peer);
        this.#postpone(input.peer, nowMs);
        break;
      case 'accepted':
        if (this.#limiter.offer(input.entry, input.link, nowMs)) this.#forward(input.entry, input.link);
        break;
      case 'announce':
        this.#own = input.entry;
        this.#announceAtMs = this.#nextAnnounceMs(nowMs);
        if (this.#limiter.offer(input.entry, undefined, nowMs)) this.#forward(input.entry, undefined);
        break;
    }
    for (const { entry, link } of this.#limiter.release(nowMs)) this.#forward(entry, link);
    this.#maybeAnnounce(nowMs);
    this.#maybeDial(nowMs);
  }

  drain(): readonly GossipEffect[] {
    return this.#effects.splice(0);
  }

  nextDeadlineMs(): number {
    const deadlines = [this.#announceAtMs, this.#limiter.nextReleaseMs()];
    if (this.#wanted() > 0) {
      for (const [peer, { notBeforeMs }] of this.#retries) {
        // What was due already was dialled, or is no candidate: that changes with an input, not with time.
        if (notBeforeMs > this.#nowMs && !this.#isBusy(peer)) deadlines.push(notBeforeMs);
      }
    }
    return Math.min(...deadlines.filter((deadline) => deadline !== undefined));
  }

  #handleLinkOpened({ link, peer, initiator }: GossipInput & { type: 'link-opened' }, nowMs: number): void {
    if (initiator) this.#dialling.delete(peer);
    const inbound = [...this.#links.values()].filter((other) => !other.initiator).length;
    if (!initiator && inbound >= 2 * this.#init.maxNeighbours) {
      this.#effects.push({ type: 'close', link, code: CloseCode.Success, reason: 'enough neighbours' });
      return;
    }
    for (const [other, neighbour] of this.#links) {
      if (neighbour.peer !== peer) continue;
      const surplus = this.#surplus(
        { link, initiator },
        { link: other, initiator: neighbour.initiator },
        peer,
      );
      this.#effects.push({
        type: 'close',
        link: surplus,
        code: CloseCode.Success,
        reason: 'one link is enough',
      });
      if (surplus === link) return;
      this.#links.delete(other);
    }
    this.#links.set(link, { peer, initiator, openedAtMs: nowMs });
    this.#effects.push({ type: 'send', link, entry: this.#own });
  }

  /** Both sides must agree which of two links goes: of two dialled crosswise the one dialled by the higher id. */
  #surplus(
    opened: { link: number; initiator: boolean },
    other: { link: number; initiator: boolean },
    peer: PeerId,
  ): number {
    // Dialled twice by one side: the peer lost the old one, or never had it.
    if (opened.initiator === other.initiator) return other.link;
    const ownLink = opened.initiator ? opened.link : other.link;
    const peerLink = opened.initiator ? other.link : opened.link;
    return this.#init.localId < peer ? peerLink : ownLink;
  }

  #handleLinkClosed(link: number, nowMs: number): void {
    const neighbour = this.#links.get(link);
    if (!neighbour) return;
    this.#links.delete(link);
    // A peer that accepts and closes at once is as good as one that does not answer.
    if (nowMs - neighbour.openedAtMs > RETRY_MAX_MS) this.#retries.delete(neighbour.peer);
    this.#postpone(neighbour.peer, nowMs);
  }

  #postpone(peer: PeerId, nowMs: number): void {
    const failures = this.#retries.get(peer)?.failures ?? 0;
    const waitMs = backoffMs(failures, { baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS }, this.#init.rng);
    this.#retries.set(peer, { failures: failures + 1, notBeforeMs: nowMs + waitMs });
  }

  #forward(entry: SignedPeerEntry, from: number | undefined): void {
    for (const [link, { peer }] of this.#links) {
      if (link !== from && peer !== entry.entry.peerId) this.#effects.push({ type: 'send', link, entry });
    }
  }

  #maybeAnnounce(nowMs: number): void {
    if (nowMs < this.#announceAtMs) return;
    this.#announceAtMs = this.#nextAnnounceMs(nowMs);
    this.#limiter.forgetIdle(nowMs);
    const candidates = new Set(this.#init.candidates(nowMs));
    for (const peer of this.#retries.keys()) if (!candidates.has(peer)) this.#retries.delete(peer);
    this.#effects.push({ type: 'refresh' });
  }

  #maybeDial(nowMs: number): void {
    let wanted = this.#wanted();
    if (wanted <= 0) return;
    const free = [...this.#init.candidates(nowMs)]
      .filter((peer) => !this.#isBusy(peer) && (this.#retries.get(peer)?.notBeforeMs ?? 0) <= nowMs)
      .sort();
    for (; wanted > 0 && free.length > 0; wanted -= 1) {
      const [peer] = free.splice(Math.floor(this.#init.rng.float() * free.length), 1);
      if (peer === undefined) return;
      this.#dialling.add(peer);
      this.#effects.push({ type: 'dial', peer });
    }
  }

  #wanted(): number {
    const dialled = [...this.#links.values()].filter(({ initiator }) => initiator).length;
    return this.#init.maxNeighbours - dialled - this.#dialling.size;
  }

  #isBusy(peer: PeerId): boolean {
    if (this.#dialling.has(peer)) return true;
    for (const neighbour of this.#links.values()) if (neighbour.peer === peer) return true;
    return false;
  }

  #nextAnnounceMs(nowMs: number): number {
    const { announceIntervalMs, announceJitterMs, rng } = this.#init;
    return nowMs + announceIntervalMs + (2 * rng.float() - 1) * announceJitterMs;
  }
}
