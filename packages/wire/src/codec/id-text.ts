import { bytesToHex } from '@noble/hashes/utils.js';

/** Ids read last, by their last 12 bits: at most 4096 of them, about half a megabyte. */
const SLOTS = 4096;
const texts: (string | undefined)[] = [];
const stored = new Uint8Array(SLOTS * 32);

const INVALID = 0xff;
const nibbles = new Uint8Array(128).fill(INVALID);
for (let i = 0; i < 16; i += 1) nibbles[i.toString(16).charCodeAt(0)] = i;

/**
 * Writes the 32 bytes of an id of 64 lower-case hex digits; false if `text` is anything else.
 *
 * Stricter than `isId`: upper-case digits would be another text for the same id, and sort elsewhere.
 */
export function writeId(text: string, target: Uint8Array, offset: number): boolean {
  if (text.length !== 64) return false;
  let codes = 0;
  let digits = 0;
  for (let i = 0; i < 32; i += 1) {
    const a = text.charCodeAt(2 * i);
    const b = text.charCodeAt(2 * i + 1);
    const high = nibbles[a & 0x7f] as number;
    const low = nibbles[b & 0x7f] as number;
    codes |= a | b;
    digits |= high | low;
    target[offset + i] = (high << 4) | low;
  }
  return codes < 0x80 && digits < 0x10;
}

/**
 * The text of the id at `offset`, where 32 bytes are known to be.
 *
 * A node reads few ids many times: one that was read lately costs a comparison of 32 bytes, and is the same string as
 * before. A stranger's ids can do no more than push others out.
 */
export function readId(source: Uint8Array, offset: number): string {
  const slot = (((source[offset + 30] as number) & 0xf) << 8) | (source[offset + 31] as number);
  const at = slot * 32;
  const text = texts[slot];
  if (text !== undefined) {
    let i = 0;
    while (i < 32 && source[offset + i] === stored[at + i]) i += 1;
    if (i === 32) return text;
  }
  const bytes = source.subarray(offset, offset + 32);
  const read = bytesToHex(bytes);
  texts[slot] = read;
  stored.set(bytes, at);
  return read;
}
