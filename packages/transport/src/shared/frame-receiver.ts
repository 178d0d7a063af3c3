import type { TransportError } from '../errors.ts';

/** Where the frames of a link come from. */
export interface FrameSource {
  /** The next frame that is there now, or undefined. */
  next(): Uint8Array | undefined;
  /** Once `next()` gave undefined: why there will be no further frame, or undefined while one may come. */
  end(): 'finished' | TransportError | undefined;
}

type Waiter =
  | { batch: false; resolve: (frame: Uint8Array | undefined) => void; reject: (reason: unknown) => void }
  | { batch: true; resolve: (frames: Uint8Array[]) => void; reject: (reason: unknown) => void };

/** The receiving half of a link: pulls frames from its source when asked, so that unread bytes stay below, in its window. */
export class FrameReceiver {
  readonly #source: FrameSource;
  #waiter: Waiter | undefined;

  constructor(source: FrameSource) {
    this.#source = source;
  }

  /** Whether someone waits for a frame. */
  get waiting(): boolean {
    return this.#waiter !== undefined;
  }

  receive(options?: { signal?: AbortSignal | undefined }): Promise<Uint8Array | undefined> {
    const signal = options?.signal;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#waiter) return Promise.reject(new TypeError('another receive of this link is pending'));
    const frame = this.#source.next();
    if (frame) return Promise.resolve(frame);
    const end = this.#source.end();
    if (end) return end === 'finished' ? Promise.resolve(undefined) : Promise.reject(end);
    return new Promise((resolve, reject) => {
      if (!signal) {
        this.#waiter = { batch: false, resolve, reject };
        return;
      }
      const onAbort = () => {
        this.#waiter = undefined;
        reject(signal.reason);
      };
      const settle = <V>(finish: (value: V) => void) => {
        return (value: V) => {
          signal.removeEventListener('abort', onAbort);
          finish(value);
        };
      };
      signal.addEventListener('abort', onAbort);
      this.#waiter = { batch: false, resolve: settle(resolve), reject: settle(reject) };
    });
  }

  receiveBatch(): Promise<Uint8Array[]> {
    if (this.#waiter) return Promise.reject(new TypeError('another receive of this link is pending'));
    const frames = this.#all();
    if (frames.length > 0) return Promise.resolve(frames);
    const end = this.#source.end();
    if (end) return end === 'finished' ? Promise.resolve([]) : Promise.reject(end);
    return new Promise((resolve, reject) => {
      this.#waiter = { batch: true, resolve, reject };
    });
  }

  /** The source may have a frame, or its end: serves whoever waits. */
  wake(): void {
    const waiter = this.#waiter;
    if (!waiter) return;
    if (waiter.batch) {
      const frames = this.#all();
      if (frames.length > 0) {
        this.#waiter = undefined;
        waiter.resolve(frames);
        return;
      }
    } else {
      const frame = this.#source.next();
      if (frame) {
        this.#waiter = undefined;
        waiter.resolve(frame);
        return;
      }
    }
    const end = this.#source.end();
    // Reading may have ended the connection, and its end woken this very waiter already.
    if (!end || this.#waiter !== waiter) return;
    this.#waiter = undefined;
    if (end !== 'finished') waiter.reject(end);
    else if (waiter.batch) waiter.resolve([]);
    else waiter.resolve(undefined);
  }

  #all(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let frame = this.#source.next(); frame; frame = this.#source.next()) frames.push(frame);
    return frames;
  }
}
