/**
 * `@mosaik/transport/testing`: the suite that every transport passes, for any test runner with `describe` and `it`, a
 * bad network for those over UDP, what the QUIC library holds of streams, the core of the TLS transport for fuzzers, and
 * the certificate of an identity for those who speak to a transport by other means.
 */
export { createCertificate } from '../shared/certificate.ts';
export { utf8 } from '../shared/utf8.ts';
export type { LinkCore } from '../tls/core/link-core.ts';
export { Mux, type MuxEffect, type MuxInit } from '../tls/core/mux.ts';
export { NativeStreams } from './native-streams.ts';
export { runTransportSuite, type TransportSuiteInit } from './transport-suite.ts';
export { UdpRelay, type UdpRelayFaults, type UdpRelayInit } from './udp-relay.ts';
