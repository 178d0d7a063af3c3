import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NativeConnection } from './native.ts';

/** Five lines of at most 200 bytes; more is not a handshake's. */
const MAX_KEYLOG_BYTES = 4096;

/**
 * Takes the exporter secret of one handshake from the library's key log (the NSS format): it offers no exporter of
 * its own. The log is a file without a name, in memory where the system has such; nothing but the exporter secret is
 * kept of it.
 */
export class Keylog {
  #fd: number | undefined;
  readonly #native: NativeConnection;

  /** `parent`: where a private directory is made for the log; by default in memory, or the system's place for such. */
  constructor(native: NativeConnection, parent?: string) {
    this.#native = native;
    const memory =
      parent === undefined &&
      process.platform === 'linux' &&
      existsSync('/dev/shm') &&
      existsSync('/proc/self/fd');
    const directory = memory ? undefined : mkdtempSync(join(parent ?? tmpdir(), 'mosaik-'));
    const path = join(directory ?? '/dev/shm', `mosaik-${randomBytes(12).toString('hex')}`);
    try {
      this.#fd = openSync(path, 'wx+', 0o600);
      if (memory) unlinkSync(path);
      native.setKeylog(memory ? `/proc/self/fd/${this.#fd}` : path);
    } catch (error) {
      this.dispose();
      throw error;
    } finally {
      if (directory) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  /** The secret, once the handshake completed; undefined unless there is exactly one. Ends the log either way. */
  takeExporterSecret(): Uint8Array | undefined {
    const fd = this.#fd;
    if (fd === undefined) return undefined;
    const log = Buffer.alloc(MAX_KEYLOG_BYTES);
    try {
      const text = log.toString('latin1', 0, readSync(fd, log, 0, log.length, 0));
      const [match, another] = text.matchAll(/^EXPORTER_SECRET [0-9a-f]{64} ([0-9a-f]{64}|[0-9a-f]{96})$/gm);
      return match?.[1] && !another ? Uint8Array.from(Buffer.from(match[1], 'hex')) : undefined;
    } catch {
      return undefined;
    } finally {
      log.fill(0);
      this.dispose();
    }
  }

  /** Erases the log. Idempotent. */
  dispose(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    try {
      ftruncateSync(fd, 0);
      // The library keeps its descriptor for as long as the connection's memory lives: not on the secrets.
      this.#native.setKeylog(devNull);
    } catch {
      // Nothing was written, then.
    } finally {
      closeSync(fd);
    }
  }
}
