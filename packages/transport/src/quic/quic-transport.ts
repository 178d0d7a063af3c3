import type { Transport } from '../ports.ts';
import { QuicEndpoint } from './endpoint.ts';
import { loadNative } from './native.ts';

export interface QuicTransportInit {
  /** Unfinished inbound handshakes from which on a client must first prove its address by a retry; default 64. */
  retryFromHalfOpen?: number | undefined;
  /**
   * Where the library's key log is put for the time of a handshake: a file in a private directory of its own there,
   * both removed at once. Default: memory where the system has it, else its directory for temporary files.
   */
  keylogDirectory?: string | undefined;
  /**
   * For how long the event loop stays awake after a message, in case the answer comes at once: 0 to 10, default 0, which
   * always sleeps. With 0.1, round trips between two processes of a host took a third of the time and half of the
   * processor; three members on two cores got slower. Linux only, while the host has a core for everyone, and rarely for
   * peers that answer later.
   */
  busyPollMs?: number | undefined;
}

/** QUIC with options that few need. */
export function createQuicTransport(init: QuicTransportInit = {}): Transport {
  return {
    listen: async (listen) => {
      const endpoint = new QuicEndpoint({ ...listen, ...init, native: await loadNative() });
      await endpoint.bind(listen.port ?? 0);
      return endpoint;
    },
  };
}

/**
 * Endpoints over QUIC (RFC 9000), each on one UDP socket.
 *
 * @example
 * const endpoint = await quicTransport.listen({ secretKey: SecretKey.generate(), alpns: ['/example/1'] });
 */
export const quicTransport: Transport = createQuicTransport();
