import type { Quiche } from '@matrixai/quic/native/quiche.js';
import type { Config, Connection } from '@matrixai/quic/native/types.js';
import { TransportError } from '../errors.ts';

export type Native = Quiche;
export type NativeConfig = Config;
export type NativeConnection = Connection;

/**
 * The QUIC library, loaded at first use: its binaries exist for linux-x64 (glibc), macOS and win32-x64 only. The
 * package's index is not imported, it costs eight times as much and adds a layer that is not used.
 *
 * @throws TransportError `unavailable` on a platform without a binary, or where it can not be loaded.
 */
export async function loadNative(): Promise<Native> {
  try {
    return (await import('@matrixai/quic/native/quiche.js')).default;
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TransportError('unavailable', `no QUIC library for ${platform}: ${why}`, { cause });
  }
}
