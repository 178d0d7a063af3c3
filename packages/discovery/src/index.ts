/**
 * `@mosaik/discovery`: who is on the network, and where. Signed peer entries, found through bootstrap addresses and a
 * peer book, spread by gossip, completed by catalog exchanges.
 */
export { type BootstrapAddress, parseBootstrap } from './bootstrap.ts';
export { Discovery, type DiscoveryEvent } from './discovery.ts';
export { DiscoveryError, type DiscoveryErrorCode } from './errors.ts';
export type { AddressSource, DiscoveryInit, DiscoveryOptions } from './options.ts';
export { filePeerBook, MAX_PEER_BOOK_ENTRIES, type PeerBook } from './peer-book.ts';
export { signEntry, verifyEntry } from './signed-entry.ts';
