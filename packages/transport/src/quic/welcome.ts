import type { NativeConnection } from './native.ts';

/** The acceptor's only one-way stream: its first byte says that the dialler's certificate was accepted. */
const WELCOME_STREAM = 3;

export function sendWelcome(native: NativeConnection): void {
  native.streamSend(WELCOME_STREAM, Uint8Array.of(1), true);
}

/** Whether the acceptor said it by now. */
export function receiveWelcome(native: NativeConnection): boolean {
  if (!native.streamReadable(WELCOME_STREAM)) return false;
  try {
    native.streamRecv(WELCOME_STREAM, new Uint8Array(16));
    return true;
  } catch {
    return false;
  }
}
