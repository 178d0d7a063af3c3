/** A timer that was set and may be taken back. Cancelling one that fired, or was cancelled, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as a port: drivers read and wait through it, so that a simulation can run them on virtual time.
 *
 * Protocol cores never see a clock: they take `nowMs`.
 */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary origin; fractions allowed; never jumps. */
  nowMs(): number;
  /** Milliseconds since the Unix epoch; may jump. For versions and expiry that other machines compare. */
  wallMs(): number;
  /** Calls `callback` once, `delayMs` from now (values below zero count as zero). Does not keep the process alive. */
  schedule(delayMs: number, callback: () => void): Timer;
}

/** Once: in Node the global is a getter, and this is asked for every command. */
const { performance } = globalThis;

/** The clock of this machine. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  schedule(delayMs, callback) {
    const handle = setTimeout(callback, hostDelay(delayMs));
    (handle as { unref?: () => void }).unref?.();
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Hosts count whole milliseconds, from the last one that began, by a clock that may be another one behind (libuv takes a
 * coarse one where that is as fine as a millisecond). So: rounded up, and two more, or a timer would fire before its
 * time, find nothing due and be set again for the millisecond that is left.
 */
function hostDelay(delayMs: number): number {
  // Above 2^31 - 1 ms the host would fire at once instead of late.
  return delayMs <= 0 ? 0 : Math.min(Math.ceil(delayMs) + 2, 2_147_483_647);
}
