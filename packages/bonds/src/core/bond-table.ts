import {
  comparePeerEntryVersions,
  type GroupId,
  type PeerEntryVersion,
  type PeerId,
  type SignedPeerEntry,
} from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import { type PathEffect, PeerPaths, type Refusal } from './peer-paths.ts';
import { redialDelayMs } from './redial.ts';

/** A peer once bonded is dialled for so long without a new entry. */
const KEEP_DIALLING_MS = 24 * 60 * 60 * 1000;
/** The higher of two peers that meet leaves the first dial to the lower one for so long, plus as much again at random. */
const HIGHER_WAITS_MS = 50;
/** Dials under way at once to peers that were never bonded: anybody in the network can say that it is in a group. */
const MAX_STRANGER_DIALS = 32;
const DIAL_SLOT_WAIT_MS = 100;
/** Peers that are remembered; ones that are not dialled, then ones that were never bonded, leave first. */
const MAX_PEERS = 1024;

export interface BondTableInit {
  localId: PeerId;
  groupId: GroupId;
  handshakeTimeoutMs: number;
  persistent: readonly PeerId[];
  rng: Rng;
}

export type BondTableInput =
  /** A newer entry of a peer became known. */
  | { type: 'entry'; entry: SignedPeerEntry }
  /** A handshake is done: `connection` numbers it, `dialled` on the side that initiated. */
  | { type: 'proven'; connection: number; peer: PeerId; dialled: boolean; incarnation: bigint }
  /** A proven connection ended. */
  | { type: 'lost'; connection: number; closeCode: number; departed: boolean }
  /** A dial ended without a proven connection; `closeCode` as told by whoever refused. */
  | { type: 'dial-failed'; peer: PeerId; closeCode: number | undefined }
  /** A peer that was never bonded is no longer known to discovery. */
  | { type: 'forgotten'; peer: PeerId }
  /** From now on these are dialled for ever, and no others. */
  | { type: 'persistent'; peers: readonly PeerId[] }
  | { type: 'tick' };

export type BondTableEffect =
  | { type: 'dial'; peer: PeerId; addresses: readonly string[]; everBonded: boolean }
  | (PathEffect & { peer: PeerId });

interface Slot {
  readonly peer: PeerId;
  /** The newest that was seen: kept here so that dialling needs no catalog. */
  entry: SignedPeerEntry | undefined;
  /** The newest entry says that the peer is in the group. */
  listed: boolean;
  readonly paths: PeerPaths;
  dialling: boolean;
  /** When to dial; undefined when not at all. */
  dialMs: number | undefined;
  failures: number;
  bondedMs: number | undefined;
  /** The peer said goodbye: only an entry above this version is dialled. */
  departedAt: PeerEntryVersion | undefined;
}

/** The members of a group: whom to dial and when, and which connection is the bond with each. */
export class BondTable {
  readonly #init: BondTableInit;
  #persistent: ReadonlySet<PeerId>;
  readonly #slots = new Map<PeerId, Slot>();
  readonly #owners = new Map<number, Slot>();
  #effects: BondTableEffect[] = [];

  constructor(init: BondTableInit) {
    this.#init = init;
    this.#persistent = new Set(init.persistent);
  }

  /** The connection that is the bond with `peer`. */
  live(peer: PeerId): number | undefined {
    return this.#slots.get(peer)?.paths.live;
  }

  /** The newest entry of `peer` that is remembered. */
  entry(peer: PeerId): SignedPeerEntry | undefined {
    return this.#slots.get(peer)?.entry;
  }

  /** What a proven connection would be refused with; undefined when it would become the bond. Changes nothing. */
  refusal(peer: PeerId, dialled: boolean, incarnation: bigint, nowMs: number): Refusal | undefined {
    return this.#slots.get(peer)?.paths.refusal({ dialled, incarnation }, nowMs);
  }

  handle(input: BondTableInput, nowMs: number): void {
    switch (input.type) {
      case 'entry':
        this.#handleEntry(input.entry, nowMs);
        break;
      case 'proven':
        this.#handleProven(input, nowMs);
        break;
      case 'lost':
        this.#handleLost(input, nowMs);
        break;
      case 'dial-failed':
        this.#handleDialFailed(input, nowMs);
        break;
      case 'forgotten': {
        const slot = this.#slots.get(input.peer);
        if (slot && slot.bondedMs === undefined) this.#slots.delete(input.peer);
        break;
      }
      case 'persistent':
        this.#handlePersistent(input.peers, nowMs);
        break;
      case 'tick':
        for (const slot of [...this.#slots.values()]) this.#handleTick(slot, nowMs);
        break;
    }
  }

  drain(): readonly BondTableEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  nextDeadlineMs(): number | undefined {
    let least = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots.values()) {
      least = Math.min(least, slot.dialMs ?? least, slot.paths.nextDeadlineMs() ?? least);
    }
    return least === Number.POSITIVE_INFINITY ? undefined : least;
  }

  #handleEntry(signed: SignedPeerEntry, nowMs: number): void {
    const { localId, groupId } = this.#init;
    const { entry } = signed;
    const { peerId, version } = entry;
    if (peerId === localId) return;
    const persistent = this.#persistent.has(peerId);
    const lists = !entry.departed && entry.groups.includes(groupId);
    const slot = lists || persistent ? this.#slotOf(peerId) : this.#slots.get(peerId);
    if (!slot) return;
    if (slot.entry && comparePeerEntryVersions(version, slot.entry.entry.version) <= 0) return;
    slot.entry = signed;
    slot.listed = lists;
    if (entry.departed) slot.departedAt = version;
    else if (slot.departedAt && comparePeerEntryVersions(version, slot.departedAt) > 0)
      slot.departedAt = undefined;
    if (isBonded(slot) || slot.dialling) return;
    if ((lists || persistent) && !slot.departedAt) {
      const waitMs = localId < peerId ? 0 : HIGHER_WAITS_MS * (1 + this.#init.rng.float());
      slot.dialMs = Math.min(slot.dialMs ?? Number.POSITIVE_INFINITY, nowMs + waitMs);
    } else this.#rest(slot);
  }

  /** Whoever was given up is dialled again; whoever is not of them any more, as long as others are. */
  #handlePersistent(peers: readonly PeerId[], nowMs: number): void {
    this.#persistent = new Set(peers);
    for (const peer of peers) {
      const slot = this.#slots.get(peer);
      if (!slot || isBonded(slot) || slot.dialling || slot.dialMs !== undefined) continue;
      if (this.#isDialled(slot, nowMs)) slot.dialMs = nowMs;
    }
  }

  #handleProven(input: Extract<BondTableInput, { type: 'proven' }>, nowMs: number): void {
    const { connection, peer, dialled, incarnation } = input;
    const slot = this.#slotOf(peer, true);
    if (dialled) slot.dialling = false;
    this.#owners.set(connection, slot);
    this.#emit(slot, slot.paths.handleProven({ connection, dialled, incarnation }, nowMs));
    if (slot.paths.live !== connection) return;
    slot.dialMs = undefined;
    slot.bondedMs = nowMs;
    slot.departedAt = undefined;
  }

  #handleLost(
    { connection, closeCode, departed }: Extract<BondTableInput, { type: 'lost' }>,
    nowMs: number,
  ): void {
    const slot = this.#owners.get(connection);
    if (!slot) return;
    this.#owners.delete(connection);
    const wasBond = slot.paths.live === connection;
    this.#emit(slot, slot.paths.handleLost(connection));
    if (!wasBond) return;
    slot.bondedMs = nowMs;
    if (departed) slot.departedAt = slot.entry?.entry.version;
    if (isBonded(slot)) return;
    // A bond that held is a fresh start; one that broke at once is one more failure.
    if (nowMs - slot.paths.provenMs >= this.#init.handshakeTimeoutMs) slot.failures = 0;
    if (departed) this.#rest(slot);
    else this.#scheduleDial(slot, closeCode, nowMs);
  }

  #handleDialFailed(
    { peer, closeCode }: { peer: PeerId; closeCode: number | undefined },
    nowMs: number,
  ): void {
    const slot = this.#slots.get(peer);
    if (!slot) return;
    slot.dialling = false;
    if (!isBonded(slot)) this.#scheduleDial(slot, closeCode, nowMs);
  }

  #scheduleDial(slot: Slot, closeCode: number | undefined, nowMs: number): void {
    if (!this.#isDialled(slot, nowMs)) {
      this.#rest(slot);
      return;
    }
    const { rng, handshakeTimeoutMs } = this.#init;
    slot.dialMs = nowMs + redialDelayMs({ closeCode, failures: slot.failures, handshakeTimeoutMs, rng });
    slot.failures += 1;
  }

  #handleTick(slot: Slot, nowMs: number): void {
    this.#emit(slot, slot.paths.handleTick(nowMs));
    if (slot.dialMs === undefined || nowMs < slot.dialMs) return;
    slot.dialMs = undefined;
    if (isBonded(slot) || slot.dialling) return;
    if (!this.#isDialled(slot, nowMs)) {
      this.#rest(slot);
      return;
    }
    const everBonded = slot.bondedMs !== undefined || this.#persistent.has(slot.peer);
    if (!everBonded && this.#strangerDials() >= MAX_STRANGER_DIALS) {
      slot.dialMs = nowMs + DIAL_SLOT_WAIT_MS;
      return;
    }
    slot.dialling = true;
    const addresses = slot.entry?.entry.addresses ?? [];
    this.#effects.push({ type: 'dial', peer: slot.peer, addresses, everBonded });
  }

  #strangerDials(): number {
    let count = 0;
    for (const slot of this.#slots.values()) if (slot.dialling && slot.bondedMs === undefined) count += 1;
    return count;
  }

  #isDialled(slot: Slot, nowMs: number): boolean {
    if (slot.departedAt || !slot.entry) return false;
    if (this.#persistent.has(slot.peer)) return true;
    return slot.listed && (slot.bondedMs === undefined || nowMs - slot.bondedMs < KEEP_DIALLING_MS);
  }

  /** Not dialled until there is news of it. What is remembered of a departure stays. */
  #rest(slot: Slot): void {
    slot.dialMs = undefined;
    slot.failures = 0;
    if (!slot.departedAt && !slot.paths.isSuspect) this.#slots.delete(slot.peer);
  }

  /** The slot of a peer; a peer that was merely heard of gets none when the table is full of peers once bonded. */
  #slotOf(peer: PeerId): Slot | undefined;
  #slotOf(peer: PeerId, proven: true): Slot;
  #slotOf(peer: PeerId, proven = false): Slot | undefined {
    const known = this.#slots.get(peer);
    if (known) return known;
    if (this.#slots.size >= MAX_PEERS) {
      const idle = [...this.#slots.values()].filter((slot) => !isBonded(slot) && !slot.dialling);
      const least = idle.find((slot) => slot.dialMs === undefined) ?? idle.find((slot) => !slot.bondedMs);
      if (least) this.#slots.delete(least.peer);
      else if (!proven) return undefined;
    }
    const slot: Slot = {
      peer,
      entry: undefined,
      listed: false,
      paths: new PeerPaths({
        isLower: this.#init.localId < peer,
        handshakeTimeoutMs: this.#init.handshakeTimeoutMs,
      }),
      dialling: false,
      dialMs: undefined,
      failures: 0,
      bondedMs: undefined,
      departedAt: undefined,
    };
    this.#slots.set(peer, slot);
    return slot;
  }

  #emit({ peer }: Slot, effects: readonly PathEffect[]): void {
    for (const effect of effects) this.#effects.push({ peer, ...effect });
  }
}

function isBonded({ paths }: Slot): boolean {
  return paths.live !== undefined;
}
