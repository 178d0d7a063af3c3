import { TransportError } from '../errors.ts';
import type { Link, LinkPriority } from '../ports.ts';
import { FrameReceiver } from '../shared/frame-receiver.ts';
import { assertFrameFits, HIGH_WATER_BYTES, LOW_WATER_BYTES } from '../shared/send-limits.ts';
import { WaitQueue } from '../shared/wait-queue.ts';
import type { LinkCore } from './core/link-core.ts';

/** Frames up to this are copied by `send`, so that it need not wait until they left. */
const COPIED_FRAME_BYTES = 8192;

/** What a link asks of its connection. */
export interface LinkHost {
  /** There is something to send. */
  handlePending(core: LinkCore): void;
  /** Frames were read, or are waited for. */
  handleRead(core: LinkCore): void;
  /** The peer broke the protocol. */
  handleViolation(reason: string): void;
}

/** The promises around one link of a connection. */
export class TlsLink implements Link {
  maxFrameBytes: number;
  readonly core: LinkCore;
  readonly #host: LinkHost;
  readonly #receiver: FrameReceiver;
  readonly #drained = new WaitQueue();
  readonly #finished = new WaitQueue();
  /** Senders of borrowed frames: settled when everything up to `upTo` was taken. */
  #borrowed: { upTo: number; resolve: () => void; reject: (reason: unknown) => void }[] = [];
  #error: TransportError | undefined;

  constructor(host: LinkHost, core: LinkCore, maxFrameBytes: number) {
    this.#host = host;
    this.core = core;
    this.maxFrameBytes = maxFrameBytes;
    this.#receiver = new FrameReceiver({ next: () => this.#next(), end: () => this.#end() });
  }

  get priority(): LinkPriority {
    return this.core.priority;
  }

  set priority(priority: LinkPriority) {
    this.core.priority = priority;
  }

  get queuedBytes(): number {
    return this.core.outbox.queuedBytes;
  }

  write(frame: Uint8Array): boolean {
    const { outbox } = this.core;
    assertFrameFits(frame.length, this.maxFrameBytes, outbox.queuedBytes);
    if (this.#error || this.core.finishing) return false;
    outbox.push(frame);
    this.#host.handlePending(this.core);
    return outbox.queuedBytes <= HIGH_WATER_BYTES;
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.core.finishing) throw new TransportError('closed', 'this side of the link is finished');
    const { outbox } = this.core;
    assertFrameFits(frame.length, this.maxFrameBytes, outbox.queuedBytes);
    const copied = frame.length <= COPIED_FRAME_BYTES;
    outbox.push(copied ? Uint8Array.from(frame) : frame);
    this.#host.handlePending(this.core);
    if (!copied) {
      const upTo = outbox.addedBytes;
      await new Promise<void>((resolve, reject) => this.#borrowed.push({ upTo, resolve, reject }));
    } else if (outbox.queuedBytes > HIGH_WATER_BYTES) await this.#drained.wait();
  }

  async drained(): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.core.outbox.queuedBytes > LOW_WATER_BYTES) await this.#drained.wait();
  }

  receive(options?: { signal?: AbortSignal }): Promise<Uint8Array | undefined> {
    const frame = this.#receiver.receive(options);
    this.#handleRead();
    return frame;
  }

  receiveBatch(): Promise<Uint8Array[]> {
    const frames = this.#receiver.receiveBatch();
    this.#handleRead();
    return frames;
  }

  async close(): Promise<void> {
    if (!this.core.finishing && !this.#error) {
      this.core.finish();
      this.#host.handlePending(this.core);
    }
    if (!this.core.finSent && !this.#error) await this.#finished.wait();
  }

  /** Bytes arrived, or the end. */
  handleReadable(): void {
    this.#receiver.wake();
    this.#handleRead();
  }

  /** Some of what was queued, or the end, was taken. */
  handleTaken(): void {
    const { outbox, finSent } = this.core;
    if (this.#drained.size > 0 && outbox.queuedBytes <= LOW_WATER_BYTES) this.#drained.resolveAll();
    const taken = outbox.addedBytes - outbox.queuedBytes;
    while (this.#borrowed[0] && this.#borrowed[0].upTo <= taken) this.#borrowed.shift()?.resolve();
    if (finSent) this.#finished.resolveAll();
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

  #handleRead(): void {
    if (!this.#error) this.#host.handleRead(this.core);
  }

  #next(): Uint8Array | undefined {
    try {
      return this.core.inbox.next(this.maxFrameBytes);
    } catch (error) {
      // The decoder refuses only what is above the limit; later calls find the link failed.
      if (!this.#error) this.#host.handleViolation((error as Error).message);
      return undefined;
    }
  }

  #end(): 'finished' | TransportError | undefined {
    if (this.core.finReceived) {
      if (this.core.inbox.bufferedBytes === 0) return 'finished';
      if (!this.#error) this.#host.handleViolation('a link ended within a frame');
    }
    return this.#error;
  }
}
