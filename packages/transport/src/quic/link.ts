import { TransportError } from '../errors.ts';
import { FrameDecoder } from '../framing.ts';
import type { Link, LinkPriority } from '../ports.ts';
import { FrameReceiver } from '../shared/frame-receiver.ts';
import { assertFrameFits, HIGH_WATER_BYTES, LOW_WATER_BYTES } from '../shared/send-limits.ts';
import { WaitQueue } from '../shared/wait-queue.ts';
import type { NativeConnection } from './native.ts';
import { SendQueue } from './send-queue.ts';
import type { Streams } from './streams.ts';

/**
 * Frames over one bidirectional stream. Reading is pulled: bytes that nobody asked for stay in the stream's window,
 * which is what holds the peer back.
 */
export class QuicLink implements Link {
  maxFrameBytes: number;
  /** The stream, once something was sent on it or it was accepted. */
  streamId: number | undefined;
  /** Set while it is among those with something to send. */
  pending = false;
  /** Set while it is among those that arrivals are for. */
  listed = false;

  #priority: LinkPriority;
  #priorityChanged: boolean;
  readonly #streams: Streams;
  readonly #receiver: FrameReceiver;
  readonly #decoder = new FrameDecoder();
  readonly #queue = new SendQueue();
  readonly #drained = new WaitQueue();
  /** Senders of borrowed frames: settled when everything up to `upTo` was taken. */
  #borrowed: { upTo: number; resolve: () => void; reject: (reason: unknown) => void }[] = [];
  readonly #finished = new WaitQueue();

  /** The arrival after which everything there was had been read. */
  #emptySince = -1;
  /** Something was read: the library knows the stream. */
  #begun = false;
  #finishing = false;
  #finSent = false;
  #finReceived = false;
  #error: TransportError | undefined;

  constructor(streams: Streams, init: { streamId?: number; priority: LinkPriority; maxFrameBytes: number }) {
    this.#streams = streams;
    this.streamId = init.streamId;
    this.#priority = init.priority;
    this.#priorityChanged = init.priority === 'high';
    this.maxFrameBytes = init.maxFrameBytes;
    this.#receiver = new FrameReceiver({ next: () => this.#next(), end: () => this.#end() });
  }

  get priority(): LinkPriority {
    return this.#priority;
  }

  set priority(priority: LinkPriority) {
    if (priority === this.#priority) return;
    this.#priority = priority;
    this.#priorityChanged = true;
  }

  /** Whether the stream must be told of a new priority. */
  takePriorityChange(): boolean {
    const changed = this.#priorityChanged;
    this.#priorityChanged = false;
    return changed;
  }

  get queuedBytes(): number {
    return this.#queue.queuedBytes;
  }

  /** Whether `receive` waits. */
  get waiting(): boolean {
    return this.#receiver.waiting;
  }

  /** Both directions are over. */
  get done(): boolean {
    return this.#finSent && this.#finReceived;
  }

  write(frame: Uint8Array): boolean {
    assertFrameFits(frame.length, this.maxFrameBytes, this.#queue.queuedBytes);
    if (this.#error || this.#finishing) return false;
    this.#queue.push(frame);
    this.#streams.handlePending(this);
    return this.#queue.queuedBytes <= HIGH_WATER_BYTES;
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.#finishing) throw new TransportError('closed', 'this side of the link is finished');
    assertFrameFits(frame.length, this.maxFrameBytes, this.#queue.queuedBytes);
    const copied = this.#queue.push(frame);
    this.#streams.handlePending(this);
    if (!copied) {
      const upTo = this.#queue.addedBytes;
      await new Promise<void>((resolve, reject) => this.#borrowed.push({ upTo, resolve, reject }));
    } else if (this.#queue.queuedBytes > HIGH_WATER_BYTES) {
      await this.#drained.wait();
    }
  }

  async drained(): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.#queue.queuedBytes > LOW_WATER_BYTES) await this.#drained.wait();
  }

  receive(options?: { signal?: AbortSignal }): Promise<Uint8Array | undefined> {
    const frame = this.#receiver.receive(options);
    if (this.#receiver.waiting) this.#streams.handleWaiting(this);
    return frame;
  }

  receiveBatch(): Promise<Uint8Array[]> {
    const frames = this.#receiver.receiveBatch();
    if (this.#receiver.waiting) this.#streams.handleWaiting(this);
    return frames;
  }

  async close(): Promise<void> {
    if (!this.#finishing && !this.#error) {
      this.#finishing = true;
      this.#streams.handlePending(this);
    }
    if (!this.#finSent && !this.#error) await this.#finished.wait();
  }

  /** The stream may have bytes, or its end. */
  handleReadable(): void {
    this.#receiver.wake();
  }

  /** Gives the stream what it takes. True when nothing is left. */
  flush(native: NativeConnection, streamId: number): boolean {
    const queue = this.#queue;
    for (let chunk = queue.peek(); chunk; chunk = queue.peek()) {
      const sent = native.streamSend(streamId, chunk, false) ?? 0;
      if (sent > 0) queue.consume(sent);
      if (sent < chunk.length) break;
    }
    this.#settle();
    if (queue.queuedBytes > 0) return false;
    if (!this.#finishing || this.#finSent) return true;
    if (native.streamSend(streamId, NOTHING, true) === null) return false;
    this.#finSent = true;
    this.#finished.resolveAll();
    return true;
  }

  /** The peer stopped reading: what is queued is lost, as if this side had finished. */
  handleStopped(): void {
    this.#queue.clear();
    this.#finishing = true;
    this.#finSent = true;
    this.#finished.resolveAll();
    this.#settle();
  }

  /** The connection ended. What arrived before can still be received. */
  fail(error: TransportError): void {
    if (this.#error) return;
    this.#error = error;
    this.#drained.rejectAll(error);
    for (const { reject } of this.#borrowed) reject(error);
    this.#borrowed = [];
    this.#finished.resolveAll();
    this.#receiver.wake();
  }

  /** The stream is about to be forgotten: takes over what it still holds, at most its window. */
  absorb(): void {
    while (this.#fill());
  }

  #settle(): void {
    if (this.#drained.size > 0 && this.#queue.queuedBytes <= LOW_WATER_BYTES) this.#drained.resolveAll();
    const taken = this.#queue.addedBytes - this.#queue.queuedBytes;
    while (this.#borrowed[0] && this.#borrowed[0].upTo <= taken) this.#borrowed.shift()?.resolve();
  }

  #next(): Uint8Array | undefined {
    try {
      for (;;) {
        const frame = this.#decoder.next(this.maxFrameBytes);
        if (frame) return frame;
        if (!this.#fill()) return undefined;
      }
    } catch (error) {
      // The decoder refuses only what is above the limit; later calls find the link failed.
      if (!this.#error) this.#streams.handleViolation((error as Error).message);
      return undefined;
    }
  }

  /** Reads once. False when there is nothing now. */
  #fill(): boolean {
    const { arrivals } = this.#streams;
    if (this.#emptySince === arrivals || this.#finReceived || this.streamId === undefined) return false;
    const room = this.#decoder.reserve();
    const read = this.#streams.readInto(this, this.streamId, room, this.#begun);
    if (!read || read[0] < room.length) this.#emptySince = arrivals;
    if (!read) return false;
    this.#begun = true;
    const [length, fin] = read;
    this.#decoder.commit(length);
    if (fin) {
      this.#finReceived = true;
      this.#streams.handleReceivedAll(this);
    }
    return length > 0;
  }

  #end(): 'finished' | TransportError | undefined {
    if (this.#finReceived) {
      if (this.#decoder.bufferedBytes === 0) return 'finished';
      if (!this.#error) this.#streams.handleViolation('a link ended within a frame');
    }
    return this.#error;
  }
}

const NOTHING = new Uint8Array(0);
