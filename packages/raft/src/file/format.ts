import { crc32 } from 'node:zlib';
import {
  bool,
  type GroupId,
  type Infer,
  id,
  LogEntry,
  option,
  type PeerId,
  RaftEpoch,
  Reader,
  safeU64,
  struct,
  u64,
  vec,
} from '@mosaik/wire';

/** FORMAT.md says what the bytes mean. Another version of it is another number here. */
export const FORMAT_VERSION = 1;

const MAGIC = { segment: 'mosaikL', snapshot: 'mosaikS', store: 'mosaikD' } as const;
export type FileKind = keyof typeof MAGIC;

export const STORE_ID_BYTES = 16;
export const FILE_HEADER_BYTES = 8 + STORE_ID_BYTES + 8 + 4;
export const FRAME_HEADER_BYTES = 28;
/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** "frm1", little endian. */
const FRAME_MAGIC = 0x316d_7266;
export const FRAME_MAGIC_BYTES = Buffer.from('frm1');
/** The last byte of every frame: not zero, so that its sector, if it was never written, can be told from it. */
const END_MARK = Buffer.from([0x45]);
/** What a frame holds; numbers are part of the format. */
export const FrameKind = {
  checkpoint: 1,
  batch: 2,
  sealed: 3,
  envelope: 4,
  chunk: 5,
  end: 6,
  owner: 7,
} as const;

const HardStateRecord = struct('HardState', {
  incarnation: u64,
  term: safeU64,
  vote: option(RaftEpoch),
});

/** Which file holds a snapshot; its frames have to end at `bytes`. */
export const SnapshotRef = struct('SnapshotRef', {
  file: safeU64,
  bytes: safeU64,
  index: safeU64,
  epoch: RaftEpoch,
});
export type SnapshotRef = Infer<typeof SnapshotRef>;

const NO_LIMIT = { max: 0xffff_ffff };

/** One `LogWrite`. A batch is such records one after the other. */
export const WriteRecord = struct('WriteRecord', {
  hardState: option(HardStateRecord),
  reset: bool,
  truncateTo: option(safeU64),
  snapshot: option(SnapshotRef),
  compactTo: option(safeU64),
  append: vec(struct('StoredRun', { epoch: RaftEpoch, entries: vec(LogEntry, NO_LIMIT) }), NO_LIMIT),
});
export type WriteRecord = Infer<typeof WriteRecord>;

/** What all segments before came to: they may be gone. */
export const Checkpoint = struct('Checkpoint', {
  hardState: option(HardStateRecord),
  snapshot: option(SnapshotRef),
  base: safeU64,
  last: safeU64,
});
export type Checkpoint = Infer<typeof Checkpoint>;

/** Whose log a store is. */
export const Owner = struct('Owner', { group: id<GroupId>(), member: id<PeerId>() });

/** The records of a batch, whose entries are views into it. @throws WireError */
export function decodeBatch(payload: Uint8Array): WriteRecord[] {
  const reader = new Reader(payload);
  const records: WriteRecord[] = [];
  while (reader.remaining > 0) records.push(WriteRecord.read(reader));
  return records;
}

export function encodeFileHeader(kind: FileKind, storeId: Uint8Array, number: number): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.write(MAGIC[kind], 0, 'latin1');
  header[7] = FORMAT_VERSION;
  header.set(storeId, 8);
  header.writeBigUInt64LE(BigInt(number), 8 + STORE_ID_BYTES);
  header.writeUInt32LE(crc32(header.subarray(0, -4)), FILE_HEADER_BYTES - 4);
  return header;
}

/** What is wrong with the header of a file that should be of this store and have this number; undefined: nothing. */
export function fileHeaderProblem(
  header: Buffer,
  kind: FileKind,
  storeId: Uint8Array,
  number: number,
): string | undefined {
  if (header.length < FILE_HEADER_BYTES) return `its header is cut off after ${header.length} bytes`;
  const version = header[7] ?? 0;
  if (header.toString('latin1', 0, 7) !== MAGIC[kind]) return 'it does not begin as such a file does';
  if (version !== FORMAT_VERSION) return `it is of format ${version}, this is ${FORMAT_VERSION}`;
  if (header.readUInt32LE(FILE_HEADER_BYTES - 4) !== crc32(header.subarray(0, FILE_HEADER_BYTES - 4)))
    return 'its header does not match its checksum';
  if (!header.subarray(8, 8 + STORE_ID_BYTES).equals(storeId)) return 'it belongs to another store';
  const named = header.readBigUInt64LE(8 + STORE_ID_BYTES);
  return named === BigInt(number) ? undefined : `it says that it is number ${named}`;
}

export interface FrameHeader {
  readonly kind: number;
  readonly seq: number;
  readonly payloadBytes: number;
  readonly payloadCrc: number;
}

/** The pieces of one frame, in order; payload pieces are borrowed. */
export function encodeFrame(kind: number, seq: number, payload: readonly Uint8Array[]): Uint8Array[] {
  let bytes = 0;
  let crc = 0;
  for (const piece of payload) {
    bytes += piece.length;
    crc = crc32(piece, crc);
  }
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32LE(FRAME_MAGIC, 0);
  header.writeUInt32LE(kind, 4);
  header.writeUInt32LE(bytes, 8);
  header.writeUInt32LE(crc, 12);
  header.writeBigUInt64LE(BigInt(seq), 16);
  header.writeUInt32LE(crc32(header.subarray(0, 24)), 24);
  return [header, ...payload, END_MARK];
}

/** From its payload's size to the frame's. */
export function frameBytes(payloadBytes: number): number {
  return FRAME_HEADER_BYTES + payloadBytes + END_MARK.length;
}

/** Undefined when these are not the bytes of an intact header. */
export function parseFrameHeader(bytes: Buffer, at = 0): FrameHeader | undefined {
  if (bytes.length - at < FRAME_HEADER_BYTES || bytes.readUInt32LE(at) !== FRAME_MAGIC) return undefined;
  if (bytes.readUInt32LE(at + 24) !== crc32(bytes.subarray(at, at + 24))) return undefined;
  return {
    kind: bytes.readUInt32LE(at + 4),
    payloadBytes: bytes.readUInt32LE(at + 8),
    payloadCrc: bytes.readUInt32LE(at + 12),
    seq: Number(bytes.readBigUInt64LE(at + 16)),
  };
}

/** `body`: what follows the header, end mark included. */
export function isIntact(header: FrameHeader, body: Buffer): boolean {
  return (
    body.length === header.payloadBytes + END_MARK.length &&
    body[header.payloadBytes] === END_MARK[0] &&
    crc32(body.subarray(0, header.payloadBytes)) === header.payloadCrc
  );
}
