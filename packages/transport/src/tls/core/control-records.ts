import {
  MAX_CONTROL_BYTES,
  PROTOCOL_VERSION,
  RECORD_HEADER_BYTES,
  RecordType,
  readU32,
  writeRecordHeader,
  writeU32,
} from './records.ts';

/** Room that any record but data fits into. */
export const CONTROL_ROOM_BYTES = RECORD_HEADER_BYTES + MAX_CONTROL_BYTES;

/** Writes the first record of a side at `at`. Like the others here, gives where it ended. */
export function writeHello(target: Uint8Array, at: number, idleTimeoutMs: number): number {
  writeRecordHeader(target, at, RecordType.hello, 5);
  target[at + RECORD_HEADER_BYTES] = PROTOCOL_VERSION;
  writeU32(target, at + RECORD_HEADER_BYTES + 1, idleTimeoutMs);
  return at + RECORD_HEADER_BYTES + 5;
}

/** The idle timeout that a hello names in milliseconds, or what is wrong with it. */
export function parseHello(payload: Uint8Array): number | string {
  const idleTimeoutMs = readU32(payload, 1);
  if (payload[0] === PROTOCOL_VERSION && idleTimeoutMs > 0) return idleTimeoutMs;
  return `a hello of version ${payload[0]} with an idle timeout of ${idleTimeoutMs} ms`;
}

/** A ping, pong or credit. */
export function writeNumber(target: Uint8Array, at: number, type: number, value: number, link = 0): number {
  writeRecordHeader(target, at, type, 4, link);
  writeU32(target, at + RECORD_HEADER_BYTES, value);
  return at + RECORD_HEADER_BYTES + 4;
}

/** `text`: the reason, UTF-8. */
export function writeClose(target: Uint8Array, at: number, code: number, text: Uint8Array): number {
  const length = 8 + text.length;
  writeRecordHeader(target, at, RecordType.close, length);
  writeU32(target, at + RECORD_HEADER_BYTES, Math.floor(code / 2 ** 32));
  writeU32(target, at + RECORD_HEADER_BYTES + 4, code % 2 ** 32);
  target.set(text, at + RECORD_HEADER_BYTES + 8);
  return at + RECORD_HEADER_BYTES + length;
}

/** The code of a close, which may be one that no side can say, and its reason in UTF-8. */
export function parseClose(payload: Uint8Array): { code: number; text: Uint8Array } {
  return { code: readU32(payload, 0) * 2 ** 32 + readU32(payload, 4), text: payload.subarray(8) };
}
