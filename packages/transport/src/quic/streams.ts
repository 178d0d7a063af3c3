import type { TransportError } from '../errors.ts';
import type { Link, LinkPriority } from '../ports.ts';
import { ItemQueue } from '../shared/item-queue.ts';
import { MAX_PEER_STREAMS } from './config.ts';
import { QuicLink } from './link.ts';
import type { NativeConnection } from './native.ts';

/** Urgencies of streams: lower goes first, 127 is what they start with. */
const HIGH_URGENCY = 0;
const NORMAL_URGENCY = 127;

export interface StreamsInit {
  native: NativeConnection;
  initiator: boolean;
  maxFrameBytes: number;
  /** There is something to send: the connection wants a turn. */
  onPending: () => void;
  /** The peer broke the protocol. */
  onViolation: (reason: string) => void;
}

/**
 * The streams of one connection, each a link. The library's own lists are not asked: walking them costs as much as
 * several datagrams, and a stream that it has collected looks like one that is blocked.
 */
export class Streams {
  readonly #init: StreamsInit;
  /** Until the connection is over. */
  #native: NativeConnection | undefined;
  readonly #links = new Set<QuicLink>();
  /** Links that wait for frames, or did at the arrival before: most wait again at once. */
  #readers: QuicLink[] = [];
  /** The link that bytes were read for when last a link was asked: the most likely to have the next ones. */
  #latest: QuicLink | undefined;
  /** Links with something to send, each once. */
  #pendingHigh: QuicLink[] = [];
  #pending: QuicLink[] = [];
  readonly #waiting = new ItemQueue<QuicLink>(MAX_PEER_STREAMS);
  /** Counts arrivals, so that a link knows whether it has read everything. */
  arrivals = 0;
  #nextOwn: number;
  #nextPeer: number;
  #error: TransportError | undefined;

  constructor(init: StreamsInit) {
    this.#init = init;
    this.#native = init.native;
    this.#nextOwn = init.initiator ? 0 : 1;
    this.#nextPeer = init.initiator ? 1 : 0;
  }

  /** Whether something written has not been taken by the library. */
  get pending(): boolean {
    return this.#pendingHigh.length + this.#pending.length > 0;
  }

  open(priority: LinkPriority): Link {
    if (this.#error) throw this.#error;
    return this.#add({ priority });
  }

  async accept(options: { signal?: AbortSignal } = {}): Promise<Link> {
    const ready = options.signal?.aborted || this.#waiting.wanted ? undefined : this.#next();
    return ready ?? this.#waiting.take(options);
  }

  // What links ask.

  handlePending(link: QuicLink): void {
    if (link.pending) return;
    link.pending = true;
    (link.priority === 'high' ? this.#pendingHigh : this.#pending).push(link);
    this.#init.onPending();
  }

  handleWaiting(link: QuicLink): void {
    if (link.listed) return;
    link.listed = true;
    this.#readers.push(link);
  }

  handleReceivedAll(link: QuicLink): void {
    if (link.done) this.#links.delete(link);
  }

  handleViolation(reason: string): void {
    this.#init.onViolation(reason);
  }

  /**
   * Reads what a stream has into `room`: how many bytes, and whether they were the last. A stream that has not `begun`
   * may be unknown to the library; where there are several, most have nothing, which is asked for less.
   */
  readInto(
    link: QuicLink,
    streamId: number,
    room: Uint8Array,
    begun: boolean,
  ): readonly [length: number, fin: boolean] | undefined {
    const native = this.#native;
    if (!native) return undefined;
    const likely = begun && (this.#readers.length <= 1 || link === this.#latest);
    if (!likely && !native.streamReadable(streamId)) return undefined;
    try {
      const read = native.streamRecv(streamId, room);
      this.#latest = read ? link : undefined;
      if (!read) return undefined;
      // Reading opens the window again: the peer is told in this turn.
      this.#init.onPending();
      return read;
    } catch {
      // Reset by the peer (ours never does), or gone: nothing more will come.
      return [0, true];
    }
  }

  // What the connection drives.

  /** Datagrams were taken in: streams that were found empty may have bytes. */
  handleArrival(): void {
    this.arrivals += 1;
  }

  /** Serves who waits for a link or for frames. A link is asked first where that is likely to be all that there is. */
  read(): void {
    const native = this.#native;
    if (this.#readers.length !== 1 || this.#waiting.wanted) {
      if (this.#latest?.waiting) this.#latest.handleReadable();
      if (!native?.isReadable()) return;
    }
    while (this.#waiting.wanted) {
      const link = this.#next();
      if (!link) break;
      this.#waiting.push(link);
    }
    const readers = this.#readers;
    let kept = 0;
    for (let i = 0; i < readers.length; i += 1) {
      const link = readers[i] as QuicLink;
      if (link.waiting) {
        link.handleReadable();
        readers[kept++] = link;
      } else link.listed = false;
    }
    readers.length = kept;
  }

  /** Gives the library what it takes, urgent links first. */
  write(native: NativeConnection): void {
    const high = this.#pendingHigh;
    if (high.length > 0) {
      this.#pendingHigh = [];
      this.#writeAll(native, high, this.#pendingHigh);
    }
    const normal = this.#pending;
    if (normal.length > 0) {
      this.#pending = [];
      this.#writeAll(native, normal, this.#pending);
    }
  }

  /** No more will be written or arrive; what arrived, links that nobody took included, can still be received. */
  fail(error: TransportError, options: { keepArrived: boolean }): void {
    if (options.keepArrived)
      for (let link = this.#next(); link; link = this.#next()) this.#waiting.push(link);
    this.#error = error;
    for (const link of this.#links) link.fail(error);
    this.#waiting.end(error);
  }

  /** The library's memory is about to go: takes over what it holds for links. */
  release(): void {
    this.handleArrival();
    for (const link of this.#links) link.absorb();
    this.#links.clear();
    this.#readers = [];
    this.#latest = undefined;
    this.#pendingHigh = [];
    this.#pending = [];
    this.#native = undefined;
  }

  #add(init: { streamId?: number; priority: LinkPriority }): QuicLink {
    const link = new QuicLink(this, { ...init, maxFrameBytes: this.#init.maxFrameBytes });
    this.#links.add(link);
    return link;
  }

  /** The next stream of the peer if it has begun. Streams begin in order: ids are given at the first byte. */
  #next(): QuicLink | undefined {
    if (this.#error || !this.#native?.streamReadable(this.#nextPeer)) return undefined;
    const link = this.#add({ streamId: this.#nextPeer, priority: 'normal' });
    this.#nextPeer += 4;
    return link;
  }

  /** What is not taken whole waits in `left`. */
  #writeAll(native: NativeConnection, links: readonly QuicLink[], left: QuicLink[]): void {
    for (const link of links) {
      link.pending = false;
      const streamId = link.streamId ?? this.#begin(native, link);
      if (streamId !== undefined && this.#writeOne(native, link, streamId)) {
        if (link.done) this.#links.delete(link);
      } else if (!link.pending) {
        link.pending = true;
        left.push(link);
      }
    }
  }

  #writeOne(native: NativeConnection, link: QuicLink, streamId: number): boolean {
    try {
      if (link.takePriorityChange()) {
        native.streamPriority(streamId, link.priority === 'high' ? HIGH_URGENCY : NORMAL_URGENCY, true);
      }
      return link.flush(native, streamId);
    } catch {
      // The peer stopped reading; what is queued has nowhere to go.
      link.handleStopped();
      return true;
    }
  }

  /** Gives a link its stream when the peer allows one more. */
  #begin(native: NativeConnection, link: QuicLink): number | undefined {
    if (native.peerStreamsLeftBidi() === 0) return undefined;
    link.streamId = this.#nextOwn;
    this.#nextOwn += 4;
    return link.streamId;
  }
}
