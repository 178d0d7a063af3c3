/** `@mosaik/transport/quic`: endpoints over QUIC, one UDP socket each, on the native binding of `@matrixai/quic`. */
export { createQuicTransport, type QuicTransportInit, quicTransport } from './quic-transport.ts';
