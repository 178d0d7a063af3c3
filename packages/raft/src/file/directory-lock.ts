import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, realpath, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { RaftError } from '../errors.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

const NAME = /^lock-[0-9a-f]{16}$/;

/**
 * Makes this process the only one that uses a directory, until it releases it or ends in whatever way.
 *
 * A lock is a socket in the directory that its owner listens on. The kernel closes it with the process, whoever may see
 * that process or reuse its number, so a lock that refuses connections is nobody's: unlike a file with a process id in
 * it, this holds across containers, and a stopped owner still counts.
 *
 * Everyone listens on a name of their own first and looks at the others afterwards, so of two at once at least one sees
 * the other and gives way. Names that are nobody's are removed only by who holds the lock; one whose own name was
 * removed meanwhile (it was not listening yet) gives way too.
 *
 * @throws RaftError `storage-in-use`.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  if (process.platform === 'win32') return lockByPipe(directory);
  const name = `lock-${randomBytes(8).toString('hex')}`;
  const handle = await open(directory, 'r');
  const place = socketDirectory(directory, handle);
  let server: Server;
  try {
    server = await listen(join(place, name));
  } catch (cause) {
    await handle.close();
    throw new RaftError('storage-failed', `${directory} can not be locked: ${String(cause)}`, { cause });
  }
  const release = async () => {
    await closed(server);
    await handle.close();
  };
  try {
    const others = (await readdir(directory)).filter((other) => NAME.test(other) && other !== name);
    for (const other of others) if (await isListening(join(place, other))) throw inUse(directory);
    // Not `rm`: where it had removed a dead socket, Node 20 could not load the QUIC library in that process any more.
    for (const other of others) await removeName(join(directory, other));
    await stat(join(directory, name)).catch(() => {
      throw inUse(directory);
    });
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

async function removeName(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** A short path to the directory where there is one: the name of a socket has room for about a hundred bytes. */
function socketDirectory(directory: string, handle: FileHandle): string {
  return process.platform === 'linux' ? `/proc/self/fd/${handle.fd}` : directory;
}

/** There is one namespace for pipes and they end with their process: the name of the directory is enough. */
async function lockByPipe(directory: string): Promise<DirectoryLock> {
  const digest = createHash('sha256')
    .update((await realpath(directory)).toLowerCase())
    .digest('hex');
  try {
    const server = await listen(`\\\\.\\pipe\\mosaik-${digest}`);
    return { release: () => closed(server) };
  } catch (cause) {
    throw inUse(directory, cause);
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      // Failing to accept who only asks changes nothing.
      server.on('error', () => {});
      server.unref();
      resolve(server);
    });
  });
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Anything but these two may come from somebody who is there.
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function inUse(directory: string, cause?: unknown): RaftError {
  return new RaftError('storage-in-use', `another process uses ${directory}`, { cause });
}
