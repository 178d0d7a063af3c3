import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { HostPort } from '../shared/address.ts';

/**
 * A stream to `target` whose TLS handshake is done on this side; the peer's opinion of us is not known yet.
 *
 * Rejects with the host's error, or the signal's reason.
 */
export function dialTls(
  target: HostPort,
  options: Pick<ConnectionOptions, 'secureContext' | 'ALPNProtocols'>,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connect({
      ...options,
      host: dialledHost(target.host),
      port: target.port,
      // Nobody vouches for a self-signed certificate: its key is compared by whoever called.
      rejectUnauthorized: false,
      // Names say nothing here either.
      servername: '',
    });
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('close', onClose);
      socket.removeListener('secureConnect', onSecure);
    };
    let failure: unknown;
    // Stays: an error that nobody listens to would end the process.
    socket.on('error', (error) => {
      failure ??= error;
    });
    const onAbort = () => {
      settle();
      socket.destroy();
      reject(signal.reason);
    };
    const onClose = () => {
      settle();
      reject(failure ?? new Error('the stream ended'));
    };
    const onSecure = () => {
      settle();
      resolve(socket);
    };
    signal.addEventListener('abort', onAbort);
    socket.once('close', onClose);
    socket.once('secureConnect', onSecure);
  });
}

/** A wildcard is where one listens; this machine is what is meant. */
function dialledHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
