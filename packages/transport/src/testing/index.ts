/** `@mosaik/transport/testing`: the suite that every transport passes, for any test runner with `describe` and `it`. */
export { runTransportSuite, type TransportSuiteInit } from './transport-suite.ts';
