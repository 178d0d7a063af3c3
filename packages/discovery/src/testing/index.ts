/** `@mosaik/discovery/testing`: a peer book without a file; the cores, for simulations. */

export { Catalog } from '../core/catalog.ts';
export { Contacts, type ContactsDial } from '../core/contacts.ts';
export { createLocalEntry, LocalVersion } from '../core/entry.ts';
export { Gossip, type GossipEffect } from '../core/gossip.ts';
export { SyncExchange } from '../core/sync.ts';
export { memoryPeerBook } from './memory-peer-book.ts';
