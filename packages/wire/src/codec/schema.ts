import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { WireError } from '../error.ts';
import { Reader } from './reader.ts';

/** What encodes and decodes one type; the smallest thing that other packages ask for. */
export interface Codec<T> {
  /** Freshly allocated bytes, owned by the caller. @throws WireError `invalid-value`, `limit`. */
  encode(value: T): Uint8Array;
  /** Reads all of `bytes`, which is borrowed: byte fields of the result are views into it. @throws WireError */
  decode(bytes: Uint8Array): T;
}

/** The TypeScript type that a codec describes. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

export type Writer = BinaryWriter;

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

/** A writer that grew above this is not kept. */
const MAX_KEPT_BYTES = 1 << 20;

// A new writer costs six times a small message; one is reused, unless an encode runs inside another's.
let spare: BinaryWriter | undefined = new BinaryWriter();

/** Completes `write` and `read` to a codec; `name` starts the path of every error. */
export function schema<T>(init: SchemaInit<T>, name?: string): Schema<T> {
  return {
    ...init,
    encode(value) {
      const writer = spare ?? new BinaryWriter();
      spare = undefined;
      let bytes: Uint8Array | undefined;
      try {
        init.write(writer, value);
      } catch (error) {
        throw named(error, name);
      } finally {
        // Also after a throw: the bytes written so far must not leak into the next message.
        bytes = writer.finish();
        if (bytes.length <= MAX_KEPT_BYTES) spare = writer;
        else spare ??= new BinaryWriter();
      }
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
