import { type Connection, type Endpoint, TransportError } from '@mosaik/transport';
import { CloseCode, describeCloseCode, type PeerId } from '@mosaik/wire';
import type { Clock, Timer } from '@mosaik/wire/runtime';
import { DiscoveryError } from './errors.ts';

export interface DialOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly expect?: PeerId | undefined;
  readonly signal: AbortSignal;
}

/** How long an address has before the next one is tried beside it (RFC 8305 §5, rounded up). */
const STAGGER_MS = 300;

/**
 * Dials the addresses, each a little after the one before or at once when that failed, and takes the first that
 * answers. An address that leads nowhere costs little, and `timeoutMs` bounds all of them together.
 *
 * @throws DiscoveryError `timeout`, `refused`, `different-network`, `unreachable`; the signal's reason when aborted.
 */
export function dial(
  endpoint: Endpoint,
  addresses: readonly string[],
  alpn: string,
  { clock, timeoutMs, expect, signal }: DialOptions,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const controller = new AbortController();
    const options = { signal: controller.signal, ...(expect === undefined ? {} : { expect }) };
    let failure = new DiscoveryError('unreachable', 'the peer has no address');
    let next = 0;
    let pending = 0;
    let stagger: Timer | undefined;
    let done = false;

    const finish = (outcome: () => void) => {
      if (done) return;
      done = true;
      stagger?.cancel();
      deadline.cancel();
      signal.removeEventListener('abort', onAbort);
      outcome();
      controller.abort(new DiscoveryError('unreachable', 'no longer needed'));
    };
    const dialNext = () => {
      stagger?.cancel();
      const address = addresses[next++];
      if (address === undefined) {
        if (pending === 0) finish(() => reject(failure));
        return;
      }
      pending += 1;
      endpoint.connect(address, alpn, options).then(
        (connection) => {
          if (done) void connection.close(CloseCode.Cancelled, 'another address answered first');
          else finish(() => resolve(connection));
        },
        (error: unknown) => {
          pending -= 1;
          if (done) return;
          failure = describeFailure(address, error);
          dialNext();
        },
      );
      stagger = clock.schedule(STAGGER_MS, dialNext);
    };
    const onAbort = () => finish(() => reject(signal.reason));
    signal.addEventListener('abort', onAbort);
    const deadline = clock.schedule(timeoutMs, () => {
      const text = `${addresses.join(', ')} did not answer within ${timeoutMs} ms`;
      finish(() => reject(new DiscoveryError('timeout', text)));
    });
    dialNext();
  });
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
