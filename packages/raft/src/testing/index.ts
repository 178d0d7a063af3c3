/** `@mosaik/raft/testing`: what an implementation of the package's ports must pass. */
export { runLogStorageSuite, type SuiteHarness } from './log-storage-suite.ts';
