import { CloseCode } from '@mosaik/wire';
import { TransportError } from '../errors.ts';
import type { Link, LinkPriority } from '../ports.ts';
import { FrameReceiver } from '../shared/frame-receiver.ts';
import { assertFrameFits, HIGH_WATER_BYTES, LOW_WATER_BYTES } from '../shared/send-limits.ts';
import { WaitQueue } from '../shared/wait-queue.ts';
import type { MemoryConnection } from './connection.ts';
import type { Pipe } from './pipe.ts';

/** One end of a stream of frames in memory. Frames are copied when written, so the ends share no bytes. */
export class MemoryLink implements Link {
  maxFrameBytes: number;
  /** Without effect: links do not share a way here. */
  priority: LinkPriority;
  readonly #connection: MemoryConnection;
  readonly #id: number;
  readonly pipe: Pipe;
  readonly #receiver: FrameReceiver;
  readonly #drained = new WaitQueue();

  #outbox: Uint8Array[] = [];
  #queuedBytes = 0;
  /** May go below zero by one frame: a frame larger than the window must pass too. */
  #creditBytes: number;
  #finishing = false;
  #finSent = false;

  #inbox: Uint8Array[] = [];
  #consumedBytes = 0;
  #finReceived = false;
  #error: TransportError | undefined;

  constructor(
    connection: MemoryConnection,
    id: number,
    pipe: Pipe,
    init: { maxFrameBytes: number; priority: LinkPriority },
  ) {
    this.#connection = connection;
    this.#id = id;
    this.pipe = pipe;
    this.maxFrameBytes = init.maxFrameBytes;
    this.priority = init.priority;
    this.#creditBytes = connection.network.windowBytes;
    this.#receiver = new FrameReceiver({ next: () => this.#next(), end: () => this.#end() });
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  write(frame: Uint8Array): boolean {
    assertFrameFits(frame.length, this.maxFrameBytes, this.#queuedBytes);
    if (this.#error || this.#finishing) return false;
    this.#outbox.push(Uint8Array.from(frame));
    this.#queuedBytes += frame.length;
    this.#pump();
    return this.#queuedBytes <= HIGH_WATER_BYTES;
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.#finishing) throw new TransportError('closed', 'this side of the link is finished');
    if (!this.write(frame)) await this.drained();
  }

  async drained(): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.#queuedBytes > LOW_WATER_BYTES) await this.#drained.wait();
  }

  receive(options?: { signal?: AbortSignal }): Promise<Uint8Array | undefined> {
    return this.#receiver.receive(options);
  }

  receiveBatch(): Promise<Uint8Array[]> {
    return this.#receiver.receiveBatch();
  }

  async close(): Promise<void> {
    if (this.#finishing || this.#error) return;
    this.#finishing = true;
    this.#pump();
  }

  /** The peer's frame arrived; undefined: its end. */
  handleFrame(frame: Uint8Array | undefined): void {
    if (frame) this.#inbox.push(frame);
    else {
      this.#finReceived = true;
      this.#maybeForget();
    }
    this.#receiver.wake();
  }

  /** The peer consumed so much. */
  handleCredit(bytes: number): void {
    this.#creditBytes += bytes;
    this.#pump();
  }

  /** The connection is about to close on this side: what was written leaves whatever the window. */
  release(): void {
    this.#creditBytes = Number.POSITIVE_INFINITY;
    this.#pump();
  }

  /** The connection ended. Frames that arrived before can still be received. */
  fail(error: TransportError): void {
    if (this.#error) return;
    this.#error = error;
    this.#outbox = [];
    this.#queuedBytes = 0;
    this.#drained.rejectAll(error);
    this.#receiver.wake();
  }

  #pump(): void {
    while (this.#outbox.length > 0 && this.#creditBytes > 0) {
      const frame = this.#outbox.shift() as Uint8Array;
      this.#queuedBytes -= frame.length;
      this.#creditBytes -= frame.length;
      const { peer } = this.#connection;
      this.pipe.push(() => peer?.handleFrame(this.#id, frame));
    }
    if (this.#finishing && !this.#finSent && this.#outbox.length === 0) {
      this.#finSent = true;
      const { peer } = this.#connection;
      this.pipe.push(() => peer?.handleFrame(this.#id, undefined));
      this.#maybeForget();
    }
    if (this.#queuedBytes <= LOW_WATER_BYTES) this.#drained.resolveAll();
  }

  #next(): Uint8Array | undefined {
    const frame = this.#inbox[0];
    if (!frame) return undefined;
    if (frame.length > this.maxFrameBytes) {
      this.#inbox = [];
      const reason = `a frame of ${frame.length} bytes was announced, ${this.maxFrameBytes} are allowed`;
      void this.#connection.close(CloseCode.ProtocolViolation, reason);
      return undefined;
    }
    this.#inbox.shift();
    this.#consumedBytes += frame.length;
    if (this.#consumedBytes * 4 >= this.#connection.network.windowBytes) {
      this.#connection.sendCredit(this.#id, this.#consumedBytes);
      this.#consumedBytes = 0;
    }
    return frame;
  }

  #end(): 'finished' | TransportError | undefined {
    return this.#finReceived ? 'finished' : this.#error;
  }

  #maybeForget(): void {
    if (this.#finSent && this.#finReceived) this.#connection.forget(this.#id);
  }
}
