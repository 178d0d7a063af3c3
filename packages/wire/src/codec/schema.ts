import { WireError } from '../error.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

export type { Writer } from './writer.ts';

/** What encodes and decodes one type; the smallest thing that other packages ask for. */
export interface Codec<T> {
  /**
   * Bytes that are the caller's: nothing else writes to them. Above 64 bytes they are a view into a larger buffer,
   * which this codec's other messages share: copy what you transfer to a worker, or keep alone for long.
   *
   * @throws WireError `invalid-value`, `limit`.
   */
  encode(value: T): Uint8Array;
  /** Reads all of `bytes`, which is borrowed: byte fields of the result are views into it. @throws WireError */
  decode(bytes: Uint8Array): T;
}

/** The TypeScript type that a codec describes. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

/** A codec that composes: it writes into, and reads from, the middle of something larger. */
export interface Schema<T> extends Codec<T> {
  /** Fewest bytes that a value takes: lets a length prefix be refused before anything is allocated. */
  readonly minBytes: number;
  write(writer: Writer, value: T): void;
  read(reader: Reader): T;
}

export interface SchemaInit<T> {
  minBytes: number;
  write(writer: Writer, value: T): void;
  read(reader: Reader): T;
}

/** Completes `write` and `read` to a codec; `name` starts the path of every error. */
export function schema<T>(init: SchemaInit<T>, name?: string): Schema<T> {
  // Made by the first encode, and away while one runs: an encode inside of it gets another.
  let spare: Writer | undefined;
  return {
    minBytes: init.minBytes,
    write: init.write,
    read: init.read,
    encode(value) {
      const writer = spare ?? new Writer();
      spare = undefined;
      try {
        init.write(writer, value);
      } catch (error) {
        // The bytes written so far must not leak into the next message.
        writer.abort();
        spare = writer;
        throw named(error, name);
      }
      const bytes = writer.finish();
      spare = writer;
      return bytes;
    },
    decode(bytes) {
      const reader = new Reader(bytes);
      try {
        const value = init.read(reader);
        reader.end();
        return value;
      } catch (error) {
        throw named(error, name);
      }
    },
  };
}

function named(error: unknown, name: string | undefined): unknown {
  return name !== undefined && error instanceof WireError ? error.prepend(name) : error;
}
