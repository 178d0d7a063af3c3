/** `@mosaik/discovery/testing`: a peer book without a file. */
export { memoryPeerBook } from './memory-peer-book.ts';
