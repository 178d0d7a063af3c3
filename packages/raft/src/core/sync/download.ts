import { createDigester, type SnapshotEnvelope, type SnapshotOffer } from '@mosaik/wire';
import { parseEnvelope } from '../envelope.ts';
import { sameEpoch } from '../epoch.ts';
import { concat, type HeldSnapshot } from '../snapshot.ts';
import { ParallelFetch } from './parallel-fetch.ts';
import { sameBytes } from './serve.ts';
import type { Source } from './source.ts';

const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
const PER_SOURCE = 8;

/** One snapshot on its way here. It outlives its sources: whoever offers the same goes on with it. */
export class Download {
  readonly offer: SnapshotOffer;
  /** Places are bytes. */
  fetch: ParallelFetch<Uint8Array>;
  /** After parts of several sources were not what was promised: the only one that is asked. */
  only: Source | undefined;
  #parts: Uint8Array[] = [];
  readonly #chunkBytes: number;

  /**
   * The group has a way of its own to transfer the machine's part: only the envelope is fetched here, until that way
   * fails.
   */
  ownWay: boolean;
  /** Asked for the machine's part, it has until then. */
  stateUntilMs: number | undefined;

  constructor(offer: SnapshotOffer, chunkBytes: number, ownWay: boolean) {
    this.offer = offer;
    this.#chunkBytes = chunkBytes;
    this.ownWay = ownWay;
    this.fetch = this.#begin();
  }

  matches(offer: SnapshotOffer | undefined): boolean {
    return offer !== undefined && sameOffer(offer, this.offer);
  }

  /** Takes what is there in order. */
  collect(): void {
    for (let piece = this.fetch.take(); piece; piece = this.fetch.take()) this.#parts.push(piece.value);
  }

  /** The machine's part came on the group's own way. */
  deliver(chunks: readonly Uint8Array[]): void {
    this.#parts.push(...chunks);
  }

  /** The whole, if it is what was promised. */
  finish(): { snapshot: HeldSnapshot; envelope: SnapshotEnvelope } | undefined {
    const { epoch, index, envelopeBytes, bytes, digest } = this.offer;
    const digester = createDigester();
    for (const part of this.#parts) digester.update(part);
    if (!sameBytes(digester.digest(), digest)) return undefined;
    const { encoded, chunks } = split(this.#parts, envelopeBytes);
    try {
      const envelope = parseEnvelope(encoded);
      if (envelope.index !== index || !sameEpoch(envelope.epoch, epoch)) return undefined;
      return { snapshot: { epoch, index, envelope: encoded, chunks, bytes, digest }, envelope };
    } catch {
      return undefined;
    }
  }

  /** From the beginning again, with nothing of what came. */
  restart(only: Source | undefined): void {
    this.only = only;
    this.ownWay = false;
    this.stateUntilMs = undefined;
    this.#parts = [];
    this.fetch = this.#begin();
  }

  #begin(): ParallelFetch<Uint8Array> {
    return new ParallelFetch({
      at: 0,
      end: this.ownWay ? this.offer.envelopeBytes : this.offer.bytes,
      unit: this.#chunkBytes,
      perSource: PER_SOURCE,
      maxBufferedBytes: MAX_BUFFERED_BYTES,
    });
  }
}

export function sameOffer(a: SnapshotOffer, b: SnapshotOffer): boolean {
  return (
    a.index === b.index &&
    a.bytes === b.bytes &&
    a.envelopeBytes === b.envelopeBytes &&
    sameEpoch(a.epoch, b.epoch) &&
    sameBytes(a.digest, b.digest)
  );
}

function split(
  parts: readonly Uint8Array[],
  envelopeBytes: number,
): { encoded: Uint8Array; chunks: Uint8Array[] } {
  const head: Uint8Array[] = [];
  const chunks: Uint8Array[] = [];
  let left = envelopeBytes;
  for (const part of parts) {
    if (left > 0) head.push(part.subarray(0, left));
    if (left < part.length) chunks.push(part.subarray(left));
    left = Math.max(0, left - part.length);
  }
  return { encoded: concat(head, envelopeBytes - left), chunks };
}
