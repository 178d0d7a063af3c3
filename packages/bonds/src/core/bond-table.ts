import {
  CloseCode,
  comparePeerEntryVersions,
  type GroupId,
  type PeerEntryVersion,
  type PeerId,
  type SignedPeerEntry,
} from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import { redialDelayMs } from './redial.ts';

/** A peer once bonded is dialled for so long without a new entry. */
const KEEP_DIALLING_MS = 24 * 60 * 60 * 1000;
/** Two processes with one identity are refused for so long. */
const DUPLICATE_HOLD_MS = 60_000;
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
  | { type: 'tick' };

export type BondTableEffect =
  | { type: 'dial'; peer: PeerId; addresses: readonly string[]; everBonded: boolean }
  /** The peer's bond is now `to` in place of `from`; undefined: none. */
  | { type: 'bond'; peer: PeerId; from: number | undefined; to: number | undefined }
  | { type: 'close'; connection: number; code: number; reason: string }
  | { type: 'duplicate-identity'; peer: PeerId };

/** One proven connection. */
interface Path {
  readonly connection: number;
  readonly dialled: boolean;
  readonly incarnation: bigint;
  readonly provenMs: number;
}

interface Slot {
  readonly peer: PeerId;
  /** The newest that was seen: kept here so that dialling needs no catalog. */
  entry: SignedPeerEntry | undefined;
  /** The newest entry says that the peer is in the group. */
  listed: boolean;
  /** The bond. */
  live: Path | undefined;
  /** An older connection, kept until it is sure that the other side chose `live`. */
  spare: (Path & { readonly dropMs: number }) | undefined;
  dialling: boolean;
  /** When to dial; undefined when not at all. */
  dialMs: number | undefined;
  failures: number;
  bondedMs: number | undefined;
  /** The peer said goodbye: only an entry above this version is dialled. */
  departedAt: PeerEntryVersion | undefined;
  /** The incarnation that another one replaced. */
  replaced: bigint | undefined;
  duplicateUntilMs: number | undefined;
}

/**
 * The members of a group and the one connection that is the bond with each: whom to dial and when, which of two
 * simultaneous connections stays, and what replaces a bond whose peer came back.
 */
export class BondTable {
  readonly #init: BondTableInit;
  readonly #persistent: ReadonlySet<PeerId>;
  readonly #slots = new Map<PeerId, Slot>();
  readonly #owners = new Map<number, Slot>();
  #effects: BondTableEffect[] = [];

  constructor(init: BondTableInit) {
    this.#init = init;
    this.#persistent = new Set(init.persistent);
  }

  /** The connection that is the bond with `peer`. */
  live(peer: PeerId): number | undefined {
    return this.#slots.get(peer)?.live?.connection;
  }

  /** The newest entry of `peer` that is remembered. */
  entry(peer: PeerId): SignedPeerEntry | undefined {
    return this.#slots.get(peer)?.entry;
  }

  /** Whether a proven connection would stay; otherwise what to refuse it with. Changes nothing. */
  admission(
    peer: PeerId,
    dialled: boolean,
    incarnation: bigint,
    nowMs: number,
  ): { code: number; reason: string } | undefined {
    const slot = this.#slots.get(peer);
    if (!slot) return undefined;
    if (slot.duplicateUntilMs !== undefined && nowMs < slot.duplicateUntilMs) return DUPLICATE;
    if (this.#keepsLive(slot, dialled, incarnation, nowMs)) return ALREADY_BONDED;
    return undefined;
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
        if (slot && !slot.live && slot.bondedMs === undefined) this.#slots.delete(input.peer);
        break;
      }
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
      if (slot.spare) least = Math.min(least, slot.spare.dropMs);
      if (slot.dialMs !== undefined) least = Math.min(least, slot.dialMs);
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
    if (slot.live || slot.dialling) return;
    if ((lists || persistent) && !slot.departedAt) {
      const waitMs = localId < peerId ? 0 : HIGHER_WAITS_MS * (1 + this.#init.rng.float());
      slot.dialMs = Math.min(slot.dialMs ?? Number.POSITIVE_INFINITY, nowMs + waitMs);
    } else this.#rest(slot);
  }

  #handleProven(input: Extract<BondTableInput, { type: 'proven' }>, nowMs: number): void {
    const { connection, peer, dialled, incarnation } = input;
    const slot = this.#slotOf(peer, true);
    if (dialled) slot.dialling = false;
    if (this.#isDuplicate(slot, incarnation, nowMs)) {
      this.#close(connection, DUPLICATE);
      return;
    }
    const { live } = slot;
    if (this.#keepsLive(slot, dialled, incarnation, nowMs)) {
      this.#close(connection, ALREADY_BONDED);
      return;
    }
    if (live) this.#displace(slot, live, incarnation, nowMs);
    slot.live = { connection, dialled, incarnation, provenMs: nowMs };
    slot.dialMs = undefined;
    slot.bondedMs = nowMs;
    slot.departedAt = undefined;
    this.#owners.set(connection, slot);
    this.#effects.push({ type: 'bond', peer, from: live?.connection, to: connection });
  }

  /** Two processes that share a key replace each other in turn: an incarnation that was replaced is back. */
  #isDuplicate(slot: Slot, incarnation: bigint, nowMs: number): boolean {
    if (slot.duplicateUntilMs !== undefined) {
      if (nowMs < slot.duplicateUntilMs) return true;
      slot.duplicateUntilMs = undefined;
    }
    if (slot.replaced !== incarnation) return false;
    slot.replaced = undefined;
    slot.duplicateUntilMs = nowMs + DUPLICATE_HOLD_MS;
    this.#effects.push({ type: 'duplicate-identity', peer: slot.peer });
    for (const path of [slot.spare, slot.live]) if (path) this.#close(path.connection, DUPLICATE);
    return true;
  }

  /**
   * Whether a bond stays against a newly proven connection: only where two dials crossed, only at the lower peer,
   * and only the one that it dialled itself. One arbiter, so the two sides cannot choose differently.
   */
  #keepsLive({ peer, live }: Slot, dialled: boolean, incarnation: bigint, nowMs: number): boolean {
    if (!live) return false;
    return live.dialled && !dialled && this.#init.localId < peer && this.#crossed(live, incarnation, nowMs);
  }

  /** Nobody dials a peer that it is bonded with: a bond that is older, or of another incarnation, is dead over there. */
  #crossed(live: Path, incarnation: bigint, nowMs: number): boolean {
    return live.incarnation === incarnation && nowMs - live.provenMs < this.#init.handshakeTimeoutMs;
  }

  #displace(slot: Slot, live: Path, incarnation: bigint, nowMs: number): void {
    if (slot.spare) this.#close(slot.spare.connection, REPLACED);
    slot.spare = undefined;
    if (live.incarnation !== incarnation) slot.replaced = live.incarnation;
    if (this.#crossed(live, incarnation, nowMs) && this.#init.localId > slot.peer)
      slot.spare = { ...live, dropMs: nowMs + this.#init.handshakeTimeoutMs };
    else this.#close(live.connection, REPLACED);
  }

  #handleLost(input: Extract<BondTableInput, { type: 'lost' }>, nowMs: number): void {
    const slot = this.#owners.get(input.connection);
    if (!slot) return;
    this.#owners.delete(input.connection);
    if (slot.spare?.connection === input.connection) slot.spare = undefined;
    const { live, spare } = slot;
    if (live?.connection !== input.connection) return;
    slot.live = spare;
    slot.spare = undefined;
    slot.bondedMs = nowMs;
    this.#effects.push({
      type: 'bond',
      peer: slot.peer,
      from: live.connection,
      to: spare?.connection,
    });
    if (input.departed && slot.entry) slot.departedAt = slot.entry.entry.version;
    if (spare) return;
    if (input.departed) this.#rest(slot);
    else {
      // A bond that held is a fresh start; one that broke at once is one more failure.
      if (nowMs - live.provenMs >= this.#init.handshakeTimeoutMs) slot.failures = 0;
      this.#scheduleDial(slot, input.closeCode, nowMs);
    }
  }

  #handleDialFailed(
    { peer, closeCode }: { peer: PeerId; closeCode: number | undefined },
    nowMs: number,
  ): void {
    const slot = this.#slots.get(peer);
    if (!slot) return;
    slot.dialling = false;
    if (!slot.live) this.#scheduleDial(slot, closeCode, nowMs);
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
    if (slot.spare && nowMs >= slot.spare.dropMs) this.#close(slot.spare.connection, REPLACED);
    if (slot.dialMs === undefined || nowMs < slot.dialMs) return;
    slot.dialMs = undefined;
    if (slot.live || slot.dialling) return;
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
    if (!slot.departedAt && !slot.live && slot.duplicateUntilMs === undefined) this.#slots.delete(slot.peer);
  }

  /** The slot of a peer; a peer that was merely heard of gets none when the table is full of peers once bonded. */
  #slotOf(peer: PeerId): Slot | undefined;
  #slotOf(peer: PeerId, proven: true): Slot;
  #slotOf(peer: PeerId, proven = false): Slot | undefined {
    const known = this.#slots.get(peer);
    if (known) return known;
    if (this.#slots.size >= MAX_PEERS) {
      const idle = [...this.#slots.values()].filter((slot) => !slot.live && !slot.dialling);
      const least = idle.find((slot) => slot.dialMs === undefined) ?? idle.find((slot) => !slot.bondedMs);
      if (least) this.#slots.delete(least.peer);
      else if (!proven) return undefined;
    }
    const slot: Slot = {
      peer,
      entry: undefined,
      listed: false,
      live: undefined,
      spare: undefined,
      dialling: false,
      dialMs: undefined,
      failures: 0,
      bondedMs: undefined,
      departedAt: undefined,
      replaced: undefined,
      duplicateUntilMs: undefined,
    };
    this.#slots.set(peer, slot);
    return slot;
  }

  #close(connection: number, { code, reason }: { code: number; reason: string }): void {
    this.#effects.push({ type: 'close', connection, code, reason });
  }
}

const ALREADY_BONDED = { code: CloseCode.AlreadyBonded, reason: 'a bond between these peers exists' };
const REPLACED = { code: CloseCode.AlreadyBonded, reason: 'replaced by a newer bond' };
const DUPLICATE = { code: CloseCode.NotAllowed, reason: 'duplicate identity' };
