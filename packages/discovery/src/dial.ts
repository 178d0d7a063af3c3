import { type Connection, type Endpoint, TransportError } from '@mosaik/transport';
import { CloseCode, describeCloseCode, type PeerId } from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';
import { DiscoveryError } from './errors.ts';

export interface DialOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly expect?: PeerId | undefined;
  readonly signal: AbortSignal;
}

/**
 * Dials the addresses one after the other until one answers.
 *
 * @throws DiscoveryError `timeout`, `refused`, `unreachable` for the last address; the signal's reason when aborted.
 */
export async function dial(
  endpoint: Endpoint,
  addresses: readonly string[],
  alpn: string,
  options: DialOptions,
): Promise<Connection> {
  let failure = new DiscoveryError('unreachable', 'the peer has no address');
  for (const address of addresses) {
    try {
      return await dialOne(endpoint, address, alpn, options);
    } catch (error) {
      options.signal.throwIfAborted();
      failure = describeFailure(address, error);
    }
  }
  throw failure;
}

async function dialOne(
  endpoint: Endpoint,
  address: string,
  alpn: string,
  { clock, timeoutMs, expect, signal }: DialOptions,
): Promise<Connection> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const timer = clock.schedule(timeoutMs, () =>
    controller.abort(new DiscoveryError('timeout', `${address} did not answer within ${timeoutMs} ms`)),
  );
  try {
    return await endpoint.connect(address, alpn, {
      signal: controller.signal,
      ...(expect === undefined ? {} : { expect }),
    });
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', abort);
  }
}

function describeFailure(address: string, cause: unknown): DiscoveryError {
  if (cause instanceof DiscoveryError) return cause;
  if (cause instanceof TransportError && cause.closeCode !== undefined && cause.code === 'refused') {
    return refusal(address, cause.closeCode, cause.message, cause);
  }
  const code = cause instanceof TransportError && cause.code === 'timeout' ? 'timeout' : 'unreachable';
  return new DiscoveryError(code, `cannot reach ${address}: ${(cause as Error).message}`, { cause });
}

/** The error for a connection that ended with `closeCode`. */
export function refusal(peer: string, closeCode: number, reason: string, cause?: unknown): DiscoveryError {
  const code =
    closeCode === CloseCode.DifferentNetwork
      ? 'different-network'
      : closeCode === CloseCode.Timeout
        ? 'timeout'
        : closeCode === CloseCode.ProtocolViolation
          ? 'protocol'
          : 'refused';
  const text = `${peer} closed with ${describeCloseCode(closeCode)}${reason ? `: ${reason}` : ''}`;
  return new DiscoveryError(code, text, { closeCode, cause });
}
