import { describeCloseCode } from '@mosaik/wire';
import { TransportError } from '../errors.ts';
import type { CloseReason } from '../ports.ts';

/** A longer reason keeps a QUIC close from leaving at all. */
const MAX_REASON_BYTES = 256;

/** @throws RangeError for anything but an integer from 0 to 2^53 - 1: above that the native library ends the process. */
export function assertCloseCode(code: number): void {
  if (!Number.isSafeInteger(code) || code < 0)
    throw new RangeError(`a close code is an integer from 0 to 2^53 - 1, got ${code}`);
}

/** The longest start of `reason` that fits, cut between characters. */
export function cutReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  let end = MAX_REASON_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** What operations on an ended connection reject with. */
export function closedError(reason: CloseReason): TransportError {
  const who = reason.remote ? 'the peer closed the connection' : 'the connection is closed';
  const why = reason.reason === '' ? '' : `: ${reason.reason}`;
  return new TransportError('closed', `${who}, ${describeCloseCode(reason.code)}${why}`, {
    closeCode: reason.code,
  });
}
