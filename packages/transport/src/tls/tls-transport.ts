import type { Transport } from '../ports.ts';
import { TlsEndpoint } from './endpoint.ts';

/**
 * Endpoints over TLS 1.3 (RFC 8446) and TCP, each on one port: for platforms without a QUIC binary, and networks that
 * drop UDP. `maxDatagramBytes` and `loopbackDatagramBytes` are checked and otherwise unused.
 *
 * @example
 * const endpoint = await tlsTransport.listen({ secretKey: SecretKey.generate(), alpns: ['/example/1'] });
 */
export const tlsTransport: Transport = {
  listen: async (init) => {
    const endpoint = new TlsEndpoint(init);
    await endpoint.bind(init.port ?? 0);
    return endpoint;
  },
};
