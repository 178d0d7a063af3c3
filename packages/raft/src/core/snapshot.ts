import { createDigester } from '@mosaik/wire';
import type { StoredSnapshot } from '../storage/log-storage.ts';

/** A snapshot that this member holds, as others may ask for it: its envelope, then the machine's part. */
export interface HeldSnapshot extends StoredSnapshot {
  /** Envelope and machine's part together. */
  readonly bytes: number;
  /** BLAKE3 of both: equal on members that took theirs at the same index. */
  readonly digest: Uint8Array;
}

export function holdSnapshot(stored: StoredSnapshot): HeldSnapshot {
  const digester = createDigester().update(stored.envelope);
  let bytes = stored.envelope.length;
  for (const chunk of stored.chunks) {
    digester.update(chunk);
    bytes += chunk.length;
  }
  return { ...stored, bytes, digest: digester.digest() };
}

/** As a store takes it. */
export function storedSnapshot({ index, epoch, envelope, chunks }: HeldSnapshot): StoredSnapshot {
  return { index, epoch, envelope, chunks };
}

/** Bytes from `offset` on, at most `length`; a copy. */
export function readSnapshot(
  { envelope, chunks }: StoredSnapshot,
  offset: number,
  length: number,
): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  let found = 0;
  for (const part of [envelope, ...chunks]) {
    const from = Math.max(0, offset - at);
    at += part.length;
    if (from >= part.length) continue;
    const piece = part.subarray(from, from + length - found);
    parts.push(piece);
    found += piece.length;
    if (found === length) break;
  }
  return concat(parts, found);
}

export function concat(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
