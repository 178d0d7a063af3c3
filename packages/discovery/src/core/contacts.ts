import type { PeerId, SignedPeerEntry } from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import { backoffMs } from './backoff.ts';

export interface ContactsInit {
  readonly rng: Rng;
  readonly localId: PeerId;
  /** Whether there is news of `peer` lately, so that there is no need to look for it. */
  readonly isAlive: (peer: PeerId, nowMs: number) => boolean;
  readonly maxRemembered: number;
  readonly maxConcurrent: number;
}

export type ContactsInput =
  | { readonly type: 'tick' }
  /** An address to look for peers at, for ever. */
  | { readonly type: 'bootstrap'; readonly address: string; readonly expect: PeerId | undefined }
  /** An address that a source named: tried a few times, unless its peer is alive. */
  | { readonly type: 'found'; readonly address: string; readonly expect: PeerId | undefined }
  /** A peer to look for, for ever, whenever it is silent. */
  | { readonly type: 'remember'; readonly entry: SignedPeerEntry }
  /** Exchange catalogs with this peer soon, even if it is alive. */
  | { readonly type: 'sync'; readonly peer: PeerId; readonly addresses: readonly string[] }
  /** The link with this peer broke, or it does not answer: somebody else may be at its address by now. */
  | { readonly type: 'lost'; readonly peer: PeerId }
  | { readonly type: 'succeeded'; readonly target: string; readonly peer: PeerId }
  | { readonly type: 'failed'; readonly target: string };

export interface ContactsDial {
  readonly type: 'dial';
  /** The name to report the outcome under. */
  readonly target: string;
  readonly addresses: readonly string[];
  readonly expect: PeerId | undefined;
}

interface Target {
  addresses: readonly string[];
  readonly expect: PeerId | undefined;
  readonly bootstrap: boolean;
  /** The newest entry of a peer that was met. */
  remembered: SignedPeerEntry | undefined;
  /** Who answered last. */
  peer: PeerId | undefined;
  /** Due even if the peer is alive. */
  forced: boolean;
  dialling: boolean;
  failures: number;
  dueMs: number;
}

const RETRY = { baseMs: 100, maxMs: 5_000 };
/** How often a target that is alive is looked at. */
const CHECK_MS = 5_000;
/** Addresses from sources that wait for their turn; more are dropped, a source names them again. */
const MAX_FOUND = 64;
/** Failures after which a peer that only was to be synchronised with is left to the periodic exchange. */
const MAX_SYNC_FAILURES = 6;

/**
 * Whom to look for, and when: bootstrap addresses and remembered peers, for ever, with backoff, a bounded number at a
 * time. One that does not answer delays nobody else.
 */
export class Contacts {
  readonly #init: ContactsInit;
  readonly #targets = new Map<string, Target>();
  readonly #effects: ContactsDial[] = [];

  constructor(init: ContactsInit) {
    this.#init = init;
  }

  handle(input: ContactsInput, nowMs: number): void {
    switch (input.type) {
      case 'tick':
        break;
      case 'bootstrap':
      case 'found':
        this.#handleAddress(input, nowMs);
        break;
      case 'remember':
        this.#handleRemember(input, nowMs);
        break;
      case 'sync': {
        if (input.peer === this.#init.localId) break;
        const target = this.#target(input.peer, { ...input, expect: input.peer, bootstrap: false }, nowMs);
        if (input.addresses.length > 0) target.addresses = input.addresses;
        target.forced = true;
        target.failures = 0;
        target.dueMs = nowMs;
        break;
      }
      case 'lost':
        this.#handleLost(input.peer, nowMs);
        break;
      case 'succeeded':
        this.#handleSucceeded(input, nowMs);
        break;
      case 'failed':
        this.#handleFailed(input.target, nowMs);
        break;
    }
    this.#maybeDial(nowMs);
  }

  drain(): readonly ContactsDial[] {
    return this.#effects.splice(0);
  }

  nextDeadlineMs(): number | undefined {
    if (this.#inFlight() >= this.#init.maxConcurrent) return undefined;
    let next: number | undefined;
    for (const { dialling, dueMs } of this.#targets.values()) {
      if (!dialling) next = Math.min(next ?? Number.POSITIVE_INFINITY, dueMs);
    }
    return next;
  }

  #handleAddress(
    { type, address, expect }: ContactsInput & { type: 'bootstrap' | 'found' },
    nowMs: number,
  ): void {
    const bootstrap = type === 'bootstrap';
    if (!bootstrap) {
      const found = [...this.#targets.values()].filter((other) => !other.bootstrap && !other.remembered);
      if (found.length >= MAX_FOUND || (expect !== undefined && this.#isFound(expect, nowMs))) return;
    }
    const name = expect === undefined ? address : `${expect}@${address}`;
    this.#target(name, { addresses: [address], expect, bootstrap }, nowMs);
  }

  #handleRemember({ entry: signed }: ContactsInput & { type: 'remember' }, nowMs: number): void {
    const { peerId, addresses } = signed.entry;
    if (peerId === this.#init.localId) return;
    const target = this.#target(peerId, { addresses, expect: peerId, bootstrap: false }, nowMs);
    target.addresses = addresses;
    target.remembered = signed;
    const remembered = [...this.#targets].filter(([, other]) => other.remembered);
    if (remembered.length <= this.#init.maxRemembered) return;
    // Who failed most often makes room; among equals who was remembered first.
    const [worst] = remembered.sort(([, a], [, b]) => b.failures - a.failures);
    if (worst && !worst[1].dialling) this.#targets.delete(worst[0]);
  }

  /** The peers that are looked for for ever, in their newest entries. */
  remembered(): SignedPeerEntry[] {
    return [...this.#targets.values()].flatMap(({ remembered }) => remembered ?? []);
  }

  #handleSucceeded({ target: name, peer }: ContactsInput & { type: 'succeeded' }, nowMs: number): void {
    const target = this.#targets.get(name);
    if (!target) return;
    target.dialling = false;
    target.forced = false;
    target.failures = 0;
    target.peer = peer;
    target.dueMs = nextCheckMs(nowMs);
    if (!target.bootstrap && !target.remembered) this.#targets.delete(name);
  }

  #handleLost(peer: PeerId, nowMs: number): void {
    for (const target of this.#targets.values()) {
      if (!target.bootstrap || target.peer !== peer || target.forced) continue;
      target.forced = true;
      target.dueMs = nowMs;
    }
  }

  #handleFailed(name: string, nowMs: number): void {
    const target = this.#targets.get(name);
    if (!target) return;
    target.dialling = false;
    target.dueMs = nowMs + backoffMs(target.failures, RETRY, this.#init.rng);
    target.failures += 1;
    if (target.bootstrap || target.failures < MAX_SYNC_FAILURES) return;
    target.forced = false;
    if (!target.remembered) this.#targets.delete(name);
  }

  #maybeDial(nowMs: number): void {
    let free = this.#init.maxConcurrent - this.#inFlight();
    if (free <= 0) return;
    const due = [...this.#targets].filter(([, target]) => !target.dialling && target.dueMs <= nowMs);
    // Those that never answer must not keep the others waiting.
    due.sort(
      ([, a], [, b]) =>
        Number(b.bootstrap) - Number(a.bootstrap) || a.failures - b.failures || a.dueMs - b.dueMs,
    );
    for (const [name, target] of due) {
      const peer = target.peer ?? target.expect;
      if (!target.forced && peer !== undefined && this.#isFound(peer, nowMs)) {
        target.dueMs = nextCheckMs(nowMs);
        target.failures = 0;
        continue;
      }
      if (free <= 0) return;
      free -= 1;
      target.dialling = true;
      this.#effects.push({
        type: 'dial',
        target: name,
        addresses: target.addresses,
        expect: target.expect,
      });
    }
  }

  #isFound(peer: PeerId, nowMs: number): boolean {
    return peer === this.#init.localId || this.#init.isAlive(peer, nowMs);
  }

  #inFlight(): number {
    let count = 0;
    for (const { dialling } of this.#targets.values()) if (dialling) count += 1;
    return count;
  }

  #target(
    name: string,
    init: { addresses: readonly string[]; expect: PeerId | undefined; bootstrap: boolean },
    nowMs: number,
  ): Target {
    const known = this.#targets.get(name);
    if (known) return known;
    const target: Target = {
      addresses: init.addresses,
      expect: init.expect,
      bootstrap: init.bootstrap,
      remembered: undefined,
      peer: undefined,
      forced: false,
      dialling: false,
      failures: 0,
      dueMs: nowMs,
    };
    this.#targets.set(name, target);
    return target;
  }
}

/** The same for all targets: one timer serves them all. */
function nextCheckMs(nowMs: number): number {
  return (Math.floor(nowMs / CHECK_MS) + 2) * CHECK_MS;
}
