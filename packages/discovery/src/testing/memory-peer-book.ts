import type { SignedPeerEntry } from '@mosaik/wire';
import type { PeerBook } from '../peer-book.ts';

/** A peer book that lives as long as the object, and shows what is in it. */
export function memoryPeerBook(): PeerBook & { entries: readonly SignedPeerEntry[] } {
  return {
    entries: [],
    async load() {
      return this.entries;
    },
    async save(entries) {
      this.entries = [...entries];
    },
  };
}
