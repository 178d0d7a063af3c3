import {
  type GroupId,
  type NetworkId,
  PeerEntry,
  type PeerEntryVersion,
  type PeerId,
  PROTOCOL_VERSION,
  type Ticket,
  type UniqueId,
} from '@mosaik/wire';

/** The bytes that a peer signs: the entry in postcard, whose one encoding per value makes equal entries equal bytes. */
export function signedBytes(entry: PeerEntry): Uint8Array {
  return PeerEntry.encode(entry);
}

/** Whether two entries say the same, their versions aside. */
export function sameContent(a: PeerEntry, b: PeerEntry): boolean {
  const version = { startMs: 0, updateMs: 0 };
  const left = PeerEntry.encode({ ...a, version });
  const right = PeerEntry.encode({ ...b, version });
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

/** What a peer says of itself, apart from who it is and when. */
export interface LocalContent {
  readonly addresses: readonly string[];
  readonly tags: readonly UniqueId[];
  readonly groups: readonly GroupId[];
  readonly tickets: readonly Ticket[];
}

/**
 * A wall clock that went back by more begins a new start instead of holding on to a time in the future, which third
 * parties would refuse until it has come.
 */
const MAX_STEP_BACK_MS = 5_000;

/** The versions of one's own entries: rising whatever the wall clock does. */
export class LocalVersion {
  #startMs: number;
  #updateMs = 0;

  /** `highestSeen`: the highest version that this identity is known to have used, if any. */
  constructor(wallMs: number, highestSeen?: PeerEntryVersion) {
    this.#startMs = Math.max(sane(wallMs), (highestSeen?.startMs ?? -1) + 1);
  }

  /** The version of the next entry: above all before it. */
  next(wallMs: number): PeerEntryVersion {
    if (sane(wallMs) + MAX_STEP_BACK_MS < this.#updateMs) {
      this.#startMs += 1;
      this.#updateMs = 0;
    }
    this.#updateMs = Math.max(sane(wallMs), this.#updateMs + 1);
    return { startMs: this.#startMs, updateMs: this.#updateMs };
  }

  /** This identity was met at `version`: the next one will be above it. */
  observe(version: PeerEntryVersion): void {
    if (version.startMs > this.#startMs) this.#startMs = version.startMs + 1;
    else if (version.startMs === this.#startMs) this.#updateMs = Math.max(this.#updateMs, version.updateMs);
  }
}

/** One's own entry, unsigned. Sets are sorted, as their encoding is. */
export function createLocalEntry(
  init: { peerId: PeerId; networkId: NetworkId; departed: boolean },
  content: LocalContent,
  version: PeerEntryVersion,
): PeerEntry {
  return {
    peerId: init.peerId,
    protocolVersion: PROTOCOL_VERSION,
    networkId: init.networkId,
    version,
    addresses: [...content.addresses],
    tags: [...new Set(content.tags)].sort(),
    groups: [...new Set(content.groups)].sort(),
    tickets: [...content.tickets],
    departed: init.departed,
  };
}

/** A wall clock may be before the epoch or off the scale; a version may not. */
function sane(wallMs: number): number {
  return Number.isFinite(wallMs) ? Math.min(Math.max(0, Math.floor(wallMs)), 2 ** 52) : 0;
}
