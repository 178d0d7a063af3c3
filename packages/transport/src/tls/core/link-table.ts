import type { LinkPriority } from '../../ports.ts';
import { LinkCore, type WindowBudget } from './link-core.ts';

/** Links that one side may have begun and that are not over. */
export const MAX_PEER_LINKS = 256;
/** Unread bytes of a connection beyond the first window of each of its links. */
const WINDOW_BUDGET_BYTES = 32 * 1024 * 1024;
/** Link ids have 32 bits. */
const LAST_LINK_ID = 0xffff_fff0;

/** The links of one connection by their ids: which have begun, which may, and which have something to send. */
export class LinkTable {
  readonly #initiator: boolean;
  readonly #links = new Map<number, LinkCore>();
  readonly #sendable: Record<LinkPriority, Set<LinkCore>> = { high: new Set(), normal: new Set() };
  /** Own links with frames, that the peer has no room for yet. */
  readonly #unbegun = new Set<LinkCore>();
  readonly #budget: WindowBudget = { bytes: WINDOW_BUDGET_BYTES };
  #nextOwn: number;
  #nextPeer: number;
  #ownOpen = 0;
  #peerOpen = 0;

  constructor(initiator: boolean) {
    this.#initiator = initiator;
    this.#nextOwn = initiator ? 0 : 1;
    this.#nextPeer = initiator ? 1 : 0;
  }

  /** A link of our own, which has no id before it has something to send. */
  create(priority: LinkPriority): LinkCore {
    return new LinkCore({ priority, budget: this.#budget });
  }

  get(id: number): LinkCore | undefined {
    return this.#links.get(id);
  }

  /** Those that have begun and are not over. */
  values(): Iterable<LinkCore> {
    return this.#links.values();
  }

  /** Whether a link of this id has begun, over or not. */
  hasBegun(id: number): boolean {
    return id < (id % 2 === this.#nextOwn % 2 ? this.#nextOwn : this.#nextPeer);
  }

  /** The peer begins a link: the link, or what is wrong with that. */
  accept(id: number): LinkCore | string {
    if (id !== this.#nextPeer) return `data for link ${id}, which is over or not the next`;
    if (this.#peerOpen >= MAX_PEER_LINKS) return `more than ${MAX_PEER_LINKS} links`;
    this.#nextPeer += 2;
    this.#peerOpen += 1;
    const link = new LinkCore({ id, priority: 'normal', budget: this.#budget });
    this.#links.set(id, link);
    return link;
  }

  /** The link has something new to send: frames, or its end. */
  handlePending(link: LinkCore): void {
    if (!link.sendable) return;
    if (link.id === undefined) this.#unbegun.add(link);
    else this.#sendable[link.priority].add(link);
  }

  /** Gives links that want to send their id when the peer has room for one more. */
  begin(): void {
    for (const link of this.#unbegun) {
      if (this.#ownOpen >= MAX_PEER_LINKS || this.#nextOwn > LAST_LINK_ID) return;
      this.#unbegun.delete(link);
      link.id = this.#nextOwn;
      this.#nextOwn += 2;
      this.#ownOpen += 1;
      this.#links.set(link.id, link);
      this.#sendable[link.priority].add(link);
    }
  }

  /**
   * Writes records of those with something to send, urgent ones first. Gives where it ended; `onTaken` hears of each link
   * that one was written of.
   */
  fill(target: Uint8Array, from: number, onTaken: (link: LinkCore) => void): number {
    const at = this.#fillFrom(this.#sendable.high, target, from, onTaken);
    return this.#fillFrom(this.#sendable.normal, target, at, onTaken);
  }

  /** Forgets a link once both of its directions are over. */
  maybeForget(link: LinkCore): void {
    if (!link.done || link.id === undefined || !this.#links.delete(link.id)) return;
    link.releaseWindow();
    if ((link.id % 2 === 0) === this.#initiator) this.#ownOpen -= 1;
    else this.#peerOpen -= 1;
  }

  /** Whether anything is still to be sent, if not now. */
  get unsent(): boolean {
    if (this.#unbegun.size > 0) return true;
    for (const link of this.#links.values()) if (link.unsent) return true;
    return false;
  }

  clear(): void {
    this.#links.clear();
    this.#unbegun.clear();
    for (const links of Object.values(this.#sendable)) links.clear();
  }

  #fillFrom(
    links: Set<LinkCore>,
    target: Uint8Array,
    from: number,
    onTaken: (link: LinkCore) => void,
  ): number {
    let at = from;
    // A link that goes back to the end of the line is met again: they take turns record by record.
    for (const link of links) {
      const end = link.sendable ? link.writeRecord(target, at) : at;
      if (end === at && link.sendable) break;
      at = end;
      links.delete(link);
      if (link.sendable) links.add(link);
      onTaken(link);
      if (link.finSent) this.maybeForget(link);
    }
    return at;
  }
}
