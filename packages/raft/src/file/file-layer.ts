import { constants, fdatasync, writev } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

/** What the log needs of files; tests put a worse one in its place. All paths are absolute or the caller's own. */
export interface FileLayer {
  /** Names in a directory, which is made when it is missing. */
  list(directory: string): Promise<string[]>;
  /**
   * `create`: a new, empty file; fails when there is one. `through`: what `write` wrote is durable when it resolves, as if
   * `sync` had followed each time.
   */
  open(path: string, mode: FileMode, options?: { through?: boolean }): Promise<LayerFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes names that were added, renamed or removed durable. */
  syncDirectory(directory: string): Promise<void>;
}

export type FileMode = 'read' | 'update' | 'create';

export interface LayerFile {
  size(): Promise<number>;
  /** Fills the buffer from `position` on, or up to the end of the file; gives how much. */
  read(into: Buffer, position: number): Promise<number>;
  /** Writes all of it. */
  write(pieces: readonly Uint8Array[], position: number): Promise<void>;
  /** Makes what was written durable. After a failure nothing is known of it, and trying again proves nothing. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

const FLAGS = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/**
 * Writing through takes one step where the host offers it (Linux: open(2), O_DSYNC); a thread of Node's pool is woken once
 * then, not twice. macOS has the flag and leaves the bytes in the drive's cache.
 */
const THROUGH = process.platform === 'linux' ? constants.O_DSYNC : undefined;

/** For what runs once a batch: a `FileHandle`'s own take longer. */
const writeVector = promisify(writev);
const syncData = promisify(fdatasync);

/** Pieces that one system call takes; more are joined. */
const MAX_PIECES = 512;

/** The file system of this machine. */
export const nodeFileLayer: FileLayer = {
  async list(directory) {
    const first = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (first !== undefined) await syncDirectory(dirname(first));
    return readdir(directory);
  },
  async open(path, mode, { through = false } = {}) {
    const handle = await open(path, FLAGS[mode] | (through ? (THROUGH ?? 0) : 0), 0o600);
    const file = nodeFile(handle);
    return through && THROUGH === undefined ? inTwoSteps(file) : file;
  },
  rename,
  remove: unlink,
  syncDirectory,
};

async function syncDirectory(directory: string): Promise<void> {
  // Windows neither allows nor needs it: NTFS keeps names in its own journal.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function inTwoSteps(file: LayerFile): LayerFile {
  return {
    ...file,
    async write(pieces, position) {
      await file.write(pieces, position);
      await file.sync();
    },
  };
}

function nodeFile(handle: FileHandle): LayerFile {
  return {
    async size() {
      return (await handle.stat()).size;
    },
    async read(into, position) {
      let done = 0;
      while (done < into.length) {
        const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    async write(pieces, position) {
      const total = pieces.reduce((bytes, piece) => bytes + piece.length, 0);
      const given = pieces.length <= MAX_PIECES ? pieces : [Buffer.concat(pieces, total)];
      const { bytesWritten } = await writeVector(handle.fd, given, position);
      if (bytesWritten === total) return;
      // Rare: the disk is nearly full, or a signal came. What is left is written, or fails with the reason.
      const rest = Buffer.concat(given, total).subarray(bytesWritten);
      for (let done = 0; done < rest.length; ) {
        const step = await handle.write(rest, done, rest.length - done, position + bytesWritten + done);
        done += step.bytesWritten;
      }
    },
    sync: () => syncData(handle.fd),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
}
