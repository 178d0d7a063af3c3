/** Ids read or written lately, one for each value of the last 12 bits: about half a megabyte when all are taken. */
const SLOTS = 4096;
// Filled: an array with holes as large as this one would be a hash table.
const texts = new Array<string>(SLOTS).fill('');
/** Their bytes, as little-endian words: a word is as quick to compare and to copy as a byte. */
const words = new Int32Array(SLOTS * 8);
/** The first bytes of the id that was last written without being found in its slot. */
const missed = new Int32Array(SLOTS);

const digits = '0123456789abcdef';
const codes = new Array<number>(64).fill(0);
const INVALID = 0xff;
const nibbles = new Uint8Array(128).fill(INVALID);
for (let i = 0; i < 16; i += 1) nibbles[digits.charCodeAt(i)] = i;

/**
 * Writes the 32 bytes of an id of 64 lower-case hex digits; false if `text` is anything else. `view` shows `target`.
 *
 * Stricter than `isId`: upper-case digits would be another text for the same id, and sort elsewhere.
 *
 * A node names few ids many times: one that was seen lately costs a comparison of texts, for decoding gives out the
 * same string as before, and a copy of 32 bytes. A stranger's ids can do no more than push others out.
 */
export function writeId(text: string, target: Uint8Array, view: DataView, offset: number): boolean {
  if (text.length !== 64) return false;
  const slot =
    ((nibbleOf(text.charCodeAt(61)) << 8) |
      (nibbleOf(text.charCodeAt(62)) << 4) |
      nibbleOf(text.charCodeAt(63))) &
    (SLOTS - 1);
  const found = texts[slot] === text ? slot : texts[slot ^ 1] === text ? slot ^ 1 : -1;
  if (found >= 0) {
    const at = found * 8;
    for (let i = 0; i < 8; i += 1) view.setInt32(offset + 4 * i, words[at + i] as number, true);
    return true;
  }
  let allCodes = 0;
  let allDigits = 0;
  for (let i = 0; i < 32; i += 1) {
    const a = text.charCodeAt(2 * i);
    const b = text.charCodeAt(2 * i + 1);
    const high = nibbleOf(a);
    const low = nibbleOf(b);
    allCodes |= a | b;
    allDigits |= high | low;
    target[offset + i] = (high << 4) | low;
  }
  if (allCodes > 0x7f || allDigits > 0xf) return false;
  const first = view.getInt32(offset);
  // Kept when missed twice in a row: more ids than slots would only push each other out. `text` itself is not kept,
  // as it may be a part of something large.
  if (missed[slot] === first) keep(slot, target, offset);
  missed[slot] = first;
  return true;
}

/** The text of the id at `offset`, where 32 bytes are known to be. */
export function readId(source: Uint8Array, offset: number): string {
  const slot = (((source[offset + 30] as number) << 8) | (source[offset + 31] as number)) & (SLOTS - 1);
  if (isKept(slot, source, offset)) return texts[slot] as string;
  if (isKept(slot ^ 1, source, offset)) return texts[slot ^ 1] as string;
  return keep(slot, source, offset);
}

function isKept(slot: number, source: Uint8Array, offset: number): boolean {
  const at = slot * 8;
  // Spelled out: a loop takes twice as long.
  const changed =
    (wordAt(source, offset) ^ (words[at] as number)) |
    (wordAt(source, offset + 4) ^ (words[at + 1] as number)) |
    (wordAt(source, offset + 8) ^ (words[at + 2] as number)) |
    (wordAt(source, offset + 12) ^ (words[at + 3] as number)) |
    (wordAt(source, offset + 16) ^ (words[at + 4] as number)) |
    (wordAt(source, offset + 20) ^ (words[at + 5] as number)) |
    (wordAt(source, offset + 24) ^ (words[at + 6] as number)) |
    (wordAt(source, offset + 28) ^ (words[at + 7] as number));
  return changed === 0 && texts[slot] !== '';
}

/** In the next place where the id's own is taken and that is not: two ids must not push each other out forever. */
function keep(own: number, source: Uint8Array, offset: number): string {
  const slot = texts[own] !== '' && texts[own ^ 1] === '' ? own ^ 1 : own;
  for (let i = 0; i < 8; i += 1) words[slot * 8 + i] = wordAt(source, offset + 4 * i);
  for (let i = 0; i < 32; i += 1) {
    const byte = source[offset + i] as number;
    codes[2 * i] = digits.charCodeAt(byte >> 4);
    codes[2 * i + 1] = digits.charCodeAt(byte & 0xf);
  }
  // In one piece: a text that grew by concatenation stays a tree, and comparing it takes ten times as long.
  const text = String.fromCharCode(...codes);
  texts[slot] = text;
  return text;
}

/** Put together here: a `DataView` of the input would cost more to make than it saves. */
function wordAt(source: Uint8Array, at: number): number {
  return (
    (source[at] as number) |
    ((source[at + 1] as number) << 8) |
    ((source[at + 2] as number) << 16) |
    ((source[at + 3] as number) << 24)
  );
}

function nibbleOf(code: number): number {
  return nibbles[code & 0x7f] as number;
}
