import type { FileLayer, FileMode, LayerFile } from '../../src/file/file-layer.ts';

const SECTOR_BYTES = 512;

export interface Operation {
  readonly type: 'create' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'sync-directory';
  readonly path: string;
  /** `write`: where, and how much. */
  readonly position?: number;
  readonly bytes?: number;
}

/** How an operation fails: with this code, after so many bytes of a write have reached the file. */
export interface Fault {
  readonly code: string;
  readonly bytes?: number;
}

interface Inode {
  /** What a crash leaves. */
  durable: Buffer;
  /** What a read gives. */
  cached: Buffer;
}

/**
 * A disk in memory with a cache before it: what was not synced, a crash takes wholly or in part, sector by sector; names
 * likewise.
 */
export class FakeDisk implements FileLayer {
  /** Asked before every operation that changes something. */
  onOperation: (operation: Operation) => Fault | undefined = () => undefined;
  readonly operations: Operation[] = [];
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #generation = 0;

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  content(path: string): Buffer {
    return Buffer.from(this.#inode(path).cached);
  }

  /** Changes a file behind everybody's back. */
  replace(path: string, content: Buffer | undefined): void {
    if (content === undefined) {
      this.#names.delete(path);
      this.#durableNames.delete(path);
      return;
    }
    const inode = { durable: Buffer.from(content), cached: Buffer.from(content) };
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  clone(): FakeDisk {
    const copy = new FakeDisk();
    for (const path of this.paths()) copy.replace(path, this.content(path));
    return copy;
  }

  /** The power is cut: `survives` is asked for each name and each sector that was not synced. */
  crash(survives: () => boolean): void {
    this.#generation += 1;
    for (const path of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      if (this.#names.get(path) === this.#durableNames.get(path) || survives()) continue;
      const durable = this.#durableNames.get(path);
      if (durable) this.#names.set(path, durable);
      else this.#names.delete(path);
    }
    for (const inode of this.#names.values()) inode.cached = mix(inode, survives);
    for (const inode of this.#names.values()) inode.durable = Buffer.from(inode.cached);
    this.#durableNames = new Map(this.#names);
  }

  async list(directory: string): Promise<string[]> {
    return this.paths().map((path) => path.slice(directory.length + 1));
  }

  async open(path: string, mode: FileMode, { through = false } = {}): Promise<LayerFile> {
    if (mode === 'create') {
      this.#perform({ type: 'create', path });
      if (this.#names.has(path)) throw failure('EEXIST');
      this.#names.set(path, { durable: Buffer.alloc(0), cached: Buffer.alloc(0) });
    }
    return this.#file(path, this.#inode(path), through);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#perform({ type: 'rename', path: to });
    this.#names.set(to, this.#inode(from));
    this.#names.delete(from);
  }

  async remove(path: string): Promise<void> {
    this.#perform({ type: 'remove', path });
    if (!this.#names.delete(path)) throw failure('ENOENT');
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#perform({ type: 'sync-directory', path: directory });
    this.#durableNames = new Map(this.#names);
  }

  #file(path: string, inode: Inode, through: boolean): LayerFile {
    const generation = this.#generation;
    const check = () => {
      if (generation !== this.#generation) throw failure('ECRASHED');
    };
    const sync = async () => {
      check();
      this.#perform({ type: 'sync', path });
      inode.durable = Buffer.from(inode.cached);
    };
    return {
      size: async () => inode.cached.length,
      read: async (into, position) => inode.cached.copy(into, 0, position),
      write: async (pieces, position) => {
        check();
        const bytes = Buffer.concat(pieces);
        const operation = { type: 'write', path, position, bytes: bytes.length } as const;
        const fault = this.#ask(operation);
        inode.cached = overlay(inode.cached, fault ? bytes.subarray(0, fault.bytes ?? 0) : bytes, position);
        if (fault) throw failure(fault.code);
        // The crash may come in between.
        if (through) await sync();
      },
      sync,
      truncate: async (length) => {
        check();
        this.#perform({ type: 'truncate', path });
        inode.cached = Buffer.from(inode.cached.subarray(0, length));
      },
      close: async () => {},
    };
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (!inode) throw failure('ENOENT');
    return inode;
  }

  #ask(operation: Operation): Fault | undefined {
    this.operations.push(operation);
    return this.onOperation(operation);
  }

  #perform(operation: Operation): void {
    const fault = this.#ask(operation);
    if (fault) throw failure(fault.code);
  }
}

function overlay(content: Buffer, bytes: Buffer, position: number): Buffer {
  if (bytes.length === 0) return content;
  const result = Buffer.alloc(Math.max(content.length, position + bytes.length));
  content.copy(result);
  bytes.copy(result, position);
  return result;
}

/** Every sector either as it was synced (zeros where there was nothing) or as it was written. */
function mix({ durable, cached }: Inode, survives: () => boolean): Buffer {
  if (durable.equals(cached)) return cached;
  const length = survives() ? cached.length : Math.min(durable.length, cached.length);
  const result = Buffer.alloc(length);
  durable.copy(result);
  for (let at = 0; at < length; at += SECTOR_BYTES) {
    const end = Math.min(length, at + SECTOR_BYTES);
    if (survives()) cached.copy(result, at, at, end);
  }
  return result;
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: as the test has it`), { code });
}
