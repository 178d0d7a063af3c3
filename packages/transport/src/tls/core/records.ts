/**
 * What travels inside TLS: records, each a header of 8 bytes and a payload. Integers are unsigned and big-endian.
 *
 * ```
 *  0       1               4                       8
 *  | type  | payload bytes | link, 0 where none    | payload …
 * ```
 *
 * | type     | payload                                                                    | link |
 * | -------- | -------------------------------------------------------------------------- | ---- |
 * | 0 hello  | version, 1 byte; idle timeout in ms, 4 bytes; up to 59 bytes left to later versions | no |
 * | 1 data   | 1 to 16 376 bytes of the link's frames, each a 4-byte length and its bytes   | yes  |
 * | 2 fin    | none: the sender's direction of the link is over                             | yes  |
 * | 3 credit | how many more bytes of data the sender of this takes, 4 bytes, not 0         | yes  |
 * | 4 ping   | 4 bytes                                                                      | no   |
 * | 5 pong   | the ping's                                                                   | no   |
 * | 6 close  | application code, 8 bytes; reason, 0 to 256 bytes of UTF-8                   | no   |
 *
 * Each side's first record is its hello, or a close. Links begin with their first data or fin; the dialler counts them
 * 0, 2, 4 …, the acceptor 1, 3, 5 …. A close is the last record of its sender; the other side then ends the stream.
 */
export const RecordType = {
  hello: 0,
  data: 1,
  fin: 2,
  credit: 3,
  ping: 4,
  pong: 5,
  close: 6,
} as const;

export const RECORD_HEADER_BYTES = 8;
/** With its header, one TLS record. */
export const MAX_DATA_BYTES = 16_384 - RECORD_HEADER_BYTES;
/** Largest payload of any record but data. */
export const MAX_CONTROL_BYTES = 8 + 256;
export const PROTOCOL_VERSION = 1;

/** Least and most payload bytes, and whether there is a link, by type. */
const SHAPES: readonly (readonly [least: number, most: number, link: boolean])[] = [
  [5, 64, false],
  [1, MAX_DATA_BYTES, true],
  [0, 0, true],
  [4, 4, true],
  [4, 4, false],
  [4, 4, false],
  [8, MAX_CONTROL_BYTES, false],
];

/** What is wrong with a header, or undefined. */
export function describeHeaderProblem(type: number, length: number, link: number): string | undefined {
  const shape = SHAPES[type];
  if (!shape) return `a record of unknown type ${type}`;
  const [least, most, linked] = shape;
  if (length < least || length > most)
    return `a record of type ${type} with ${length} bytes, expected ${least} to ${most}`;
  return linked || link === 0 ? undefined : `a record of type ${type} names link ${link}`;
}

export function writeRecordHeader(
  target: Uint8Array,
  at: number,
  type: number,
  length: number,
  link = 0,
): void {
  writeU32(target, at, length);
  target[at] = type;
  writeU32(target, at + 4, link);
}

export function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

export function readU32(source: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [source[at], source[at + 1], source[at + 2], source[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
