import { TransportError } from '../errors.ts';

/** Above this many queued bytes a link asks its writer to wait. */
export const HIGH_WATER_BYTES = 1024 * 1024;
/** At or below this many a waiting writer goes on. */
export const LOW_WATER_BYTES = 512 * 1024;
/** A writer that does not wait is refused beyond this. */
const MOST_QUEUED_BYTES = 64 * 1024 * 1024;

/** @throws TransportError `too-large`, `overloaded`. */
export function assertFrameFits(frameBytes: number, maxFrameBytes: number, queuedBytes: number): void {
  if (frameBytes > maxFrameBytes) {
    throw new TransportError(
      'too-large',
      `a frame of ${frameBytes} bytes was written, ${maxFrameBytes} are allowed`,
    );
  }
  if (queuedBytes > MOST_QUEUED_BYTES) {
    throw new TransportError(
      'overloaded',
      `${queuedBytes} bytes are queued: the writer does not wait for drained()`,
    );
  }
}
