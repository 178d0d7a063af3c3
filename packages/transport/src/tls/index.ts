/** `@mosaik/transport/tls`: the transport over TLS 1.3 and TCP; no native module. */
export { tlsTransport } from './tls-transport.ts';
