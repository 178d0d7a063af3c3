import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MAX_PEER_ENTRY_BYTES, SignedPeerEntry, vec } from '@mosaik/wire';
import { DiscoveryError } from './errors.ts';

/** Where a node keeps the entries of the peers that it met, so that it finds them again after a restart. */
export interface PeerBook {
  /** What was saved last; empty at first. */
  load(): Promise<readonly SignedPeerEntry[]>;
  /** Replaces what was saved. Never called while an earlier call is pending. */
  save(entries: readonly SignedPeerEntry[]): Promise<void>;
}

/** Most entries in a peer book, the own one included. */
export const MAX_PEER_BOOK_ENTRIES = 257;

const Book = vec(SignedPeerEntry, { max: MAX_PEER_BOOK_ENTRIES });
const MAX_BOOK_BYTES = MAX_PEER_BOOK_ENTRIES * MAX_PEER_ENTRY_BYTES + 16;

/**
 * A peer book in one file: signed entries in postcard and nothing else, no secret among them.
 *
 * A save writes a new file beside it and renames it, so that a crash leaves the old book or the new one.
 * `load` rejects with DiscoveryError `peer-book` when the file is there and is not a book.
 */
export function filePeerBook(path: string): PeerBook {
  return {
    async load() {
      try {
        const { size } = await stat(path);
        if (size > MAX_BOOK_BYTES) throw new RangeError(`${size} bytes are too many`);
        return Book.decode(Uint8Array.from(await readFile(path)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw new DiscoveryError('peer-book', `peer book ${path}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
    async save(entries) {
      const fresh = `${path}.${randomBytes(4).toString('hex')}.tmp`;
      try {
        await mkdir(dirname(path), { recursive: true });
        const file = await open(fresh, 'wx', 0o600);
        try {
          await file.writeFile(Book.encode([...entries]));
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(fresh, path);
      } catch (error) {
        await unlink(fresh).catch(() => undefined);
        throw new DiscoveryError('peer-book', `peer book ${path}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
  };
}
