import type { ListenInit } from '../ports.ts';

/** Frames above this cannot be announced usefully: both ends hold one whole. */
const MAX_FRAME_BYTES_LIMIT = 1 << 30;

export interface EndpointLimits {
  readonly maxFrameBytes: number;
  readonly idleTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly handshakeTimeoutMs: number;
  readonly maxDatagramBytes: number;
  readonly loopbackDatagramBytes: number;
}

/** The numbers of `init` with their defaults. @throws RangeError that names the field, TypeError for no ALPN. */
export function parseLimits(init: ListenInit): EndpointLimits {
  assertAlpns(init.alpns);
  return Object.freeze({
    maxFrameBytes: integer('maxFrameBytes', init.maxFrameBytes ?? 16 * 1024 * 1024, 1, MAX_FRAME_BYTES_LIMIT),
    idleTimeoutMs: integer('idleTimeoutMs', init.idleTimeoutMs ?? 30_000, 1, 86_400_000),
    keepAliveMs: integer('keepAliveMs', init.keepAliveMs ?? 10_000, 1, 86_400_000),
    handshakeTimeoutMs: integer('handshakeTimeoutMs', init.handshakeTimeoutMs ?? 5_000, 1, 600_000),
    maxDatagramBytes: integer('maxDatagramBytes', init.maxDatagramBytes ?? 1350, 1200, 16_383),
    loopbackDatagramBytes: integer(
      'loopbackDatagramBytes',
      init.loopbackDatagramBytes ?? 16_383,
      1200,
      16_383,
    ),
  });
}

/** @throws TypeError unless there is at least one, each of 1 to 255 bytes (RFC 7301 §3.1). */
export function assertAlpns(alpns: readonly string[]): void {
  if (alpns.length === 0 || alpns.some((alpn) => alpn.length === 0 || Buffer.byteLength(alpn) > 255)) {
    throw new TypeError('alpns: expected at least one protocol of 1 to 255 bytes');
  }
}

function integer(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name}: expected an integer from ${least} to ${most}, got ${value}`);
  }
  return value;
}
