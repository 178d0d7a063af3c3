import type { PeerId } from '@mosaik/wire';
import type { Source } from './source.ts';

/** Ask `to` for [at, end). */
export interface FetchRequest {
  readonly to: PeerId;
  readonly at: number;
  readonly end: number;
}

interface Asked {
  readonly at: number;
  readonly end: number;
  readonly source: Source;
}

export interface ParallelFetchInit {
  /** The stretch [at, end) is fetched. */
  readonly at: number;
  readonly end: number;
  /** Most of it in one request. */
  readonly unit: number;
  /** Requests to one source at a time. */
  readonly perSource: number;
  /** Bytes that wait for what comes before them; beyond it nothing new is asked for. */
  readonly maxBufferedBytes: number;
}

/**
 * Fetches one stretch in pieces from several sources at once and hands it out in order.
 *
 * Who may be asked for what is the caller's matter, and whether an answer is right: this keeps track of what is missing,
 * asked for, and here.
 */
export class ParallelFetch<T> {
  readonly #init: ParallelFetchInit;
  /** Everything before is handed out. */
  next: number;
  /** Everything from here on was never asked for. */
  #fresh: number;
  /** Below `#fresh`, and neither asked for nor here; by rising place. */
  #missing: { at: number; end: number }[] = [];
  #asked: Asked[] = [];
  readonly #here = new Map<number, { end: number; bytes: number; value: T }>();
  #bufferedBytes = 0;

  constructor(init: ParallelFetchInit) {
    this.#init = init;
    this.next = init.at;
    this.#fresh = init.at;
  }

  get done(): boolean {
    return this.next >= this.#init.end;
  }

  get end(): number {
    return this.#init.end;
  }

  /** Whether somebody is being waited for. */
  get waits(): boolean {
    return this.#asked.length > 0;
  }

  /** Gives out work: to the source with the least of it, to the leader when nobody else has room (leader last). */
  requests(
    sources: readonly Source[],
    nowMs: number,
    may: (source: Source, at: number) => boolean,
  ): FetchRequest[] {
    const requests: FetchRequest[] = [];
    for (let piece = this.#nextPiece(); piece; piece = this.#nextPiece()) {
      const { at } = piece;
      let chosen: Source | undefined;
      for (const source of sources) {
        if (source.asked >= this.#init.perSource || !source.usable(nowMs) || !may(source, at)) continue;
        if (!chosen || rank(source) < rank(chosen)) chosen = source;
      }
      if (!chosen) break;
      const end = this.#takePiece(piece);
      chosen.handleAsked(nowMs);
      this.#asked.push({ at, end, source: chosen });
      requests.push({ to: chosen.id, at, end });
    }
    return requests;
  }

  /** What of [at, …) was asked of the source; undefined when nothing was, or not any more. */
  askedEnd(source: Source, at: number): number | undefined {
    return this.#asked.find((asked) => asked.source === source && asked.at === at)?.end;
  }

  /** The source answered with [at, end), which was part of what it was asked. */
  handleAnswer(source: Source, at: number, end: number, bytes: number, value: T): void {
    const asked = this.#take(source, at);
    if (!asked) return;
    if (end < asked.end) this.#addMissing(end, asked.end);
    this.#here.set(at, { end, bytes, value });
    this.#bufferedBytes += bytes;
  }

  /** The source does not have it, or gave something else: somebody else is to be asked. */
  handleFailure(source: Source, at: number): void {
    const asked = this.#take(source, at);
    if (asked) this.#addMissing(asked.at, asked.end);
  }

  /** Whatever the source was asked for is missing again. */
  release(source: Source): void {
    const lost = this.#asked.filter((asked) => asked.source === source);
    this.#asked = this.#asked.filter((asked) => asked.source !== source);
    source.asked = 0;
    for (const { at, end } of lost) this.#addMissing(at, end);
  }

  /** The next piece in order, if it is here. */
  take(): { at: number; end: number; bytes: number; value: T } | undefined {
    const at = this.next;
    const here = this.#here.get(at);
    if (!here) return undefined;
    this.#here.delete(at);
    this.#bufferedBytes -= here.bytes;
    this.next = here.end;
    return { at, ...here };
  }

  #nextPiece(): { at: number; fresh: boolean } | undefined {
    const missing = this.#missing[0];
    if (missing) return { at: missing.at, fresh: false };
    if (this.#fresh >= this.#init.end || this.#bufferedBytes >= this.#init.maxBufferedBytes) return undefined;
    return { at: this.#fresh, fresh: true };
  }

  #takePiece({ at, fresh }: { at: number; fresh: boolean }): number {
    if (!fresh) return this.#missing.shift()?.end ?? at;
    this.#fresh = Math.min(at + this.#init.unit, this.#init.end);
    return this.#fresh;
  }

  #addMissing(at: number, end: number): void {
    const before = this.#missing.findIndex((missing) => missing.at > at);
    this.#missing.splice(before < 0 ? this.#missing.length : before, 0, { at, end });
  }

  #take(source: Source, at: number): Asked | undefined {
    const i = this.#asked.findIndex((asked) => asked.source === source && asked.at === at);
    if (i < 0) return undefined;
    source.asked -= 1;
    return this.#asked.splice(i, 1)[0];
  }
}

function rank(source: Source): number {
  return source.asked + (source.leads ? 1 << 20 : 0);
}
