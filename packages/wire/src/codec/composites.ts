import { WireError } from '../error.ts';
import { invalid } from './numbers.ts';
import type { Reader } from './reader.ts';
import { type Infer, type Schema, type SchemaInit, schema, type Writer } from './schema.ts';

/** Most elements of a sequence or map where a schema sets no limit of its own. */
export const DEFAULT_MAX_LENGTH = 1 << 20;

/** Longest sequence whose array is made before its elements are read; elements of no bytes cost a sender nothing. */
const MAX_MADE_TO_SIZE = 64;

// biome-ignore lint/suspicious/noExplicitAny: a schema is invariant in its type, so "any schema" has no other spelling
export type AnySchema = Schema<any>;
export type Fields = Readonly<Record<string, AnySchema>>;
/** The object type of a struct: fields that may be absent on the wire may be left out here. */
export type InferFields<F extends Fields> = Simplify<
  { -readonly [K in keyof F as undefined extends Infer<F[K]> ? never : K]: Infer<F[K]> } & {
    -readonly [K in keyof F as undefined extends Infer<F[K]> ? K : never]?: Infer<F[K]> | undefined;
  }
>;
type Simplify<T> = { [K in keyof T]: T[K] };

/**
 * Reading or writing the fields spelled out, in the order in which they are given: reading as one object literal, so that
 * the engine knows the object's shape and what it calls. A `PeerEntry` takes a third less time so. What is refused is
 * done again field by field, for the path of the error.
 */
export interface Spelled<F extends Fields, T> {
  read?: (reader: Reader, fields: F) => NoInfer<T>;
  write?: (writer: Writer, fields: F, value: NoInfer<T>) => void;
}

/** Fields one after the other in the order given (postcard: struct). `name` starts the path of every error. */
export function struct<F extends Fields>(
  name: string,
  fields: F,
  spelled: Spelled<F, InferFields<F>> = {},
): Schema<InferFields<F>> {
  return schema(spell(structInit(fields), fields, spelled), name);
}

function spell<F extends Fields, T>(
  init: SchemaInit<T>,
  fields: F,
  { read, write }: Spelled<F, T>,
): SchemaInit<T> {
  return {
    minBytes: init.minBytes,
    read: read
      ? (reader) => {
          if (reader.byField) return init.read(reader);
          const start = reader.offset;
          try {
            return read(reader, fields);
          } catch {
            reader.offset = start;
            reader.byField = true;
            return init.read(reader);
          }
        }
      : init.read,
    write: write
      ? (writer, value) => {
          if (writer.byField || typeof value !== 'object') return init.write(writer, value);
          const start = writer.length;
          try {
            write(writer, fields, value);
          } catch {
            writer.rewind(start);
            writer.byField = true;
            init.write(writer, value);
          }
        }
      : init.write,
  };
}

/** `type`, where there is one, is the first property of what is read: the variant that the fields belong to. */
function structInit<F extends Fields>(fields: F, type?: string): SchemaInit<InferFields<F>> {
  const members = Object.entries(fields).map(([name, codec]) => ({ name, codec }));
  return {
    minBytes: sum(members.map(({ codec }) => codec)),
    write(writer: Writer, value: InferFields<F>) {
      assertObject(value);
      let name = '';
      try {
        for (let i = 0; i < members.length; i += 1) {
          const member = members[i] as Member;
          name = member.name;
          member.codec.write(writer, (value as Record<string, unknown>)[name]);
        }
      } catch (error) {
        throw step(error, name);
      }
    },
    read(reader: Reader): InferFields<F> {
      const value: Record<string, unknown> = {};
      if (type !== undefined) value.type = type;
      let name = '';
      try {
        for (let i = 0; i < members.length; i += 1) {
          const member = members[i] as Member;
          name = member.name;
          value[name] = member.codec.read(reader);
        }
      } catch (error) {
        throw step(error, name);
      }
      return value as InferFields<F>;
    },
  };
}

interface Member {
  name: string;
  codec: AnySchema;
}

/** A fixed number of values of different types (postcard: tuple). */
export function tuple<const S extends readonly AnySchema[]>(
  ...items: S
): Schema<{ -readonly [K in keyof S]: Infer<S[K]> }> {
  type T = { -readonly [K in keyof S]: Infer<S[K]> };
  return schema<T>({
    minBytes: sum(items),
    write(writer, value) {
      if (!Array.isArray(value) || value.length !== items.length)
        throw invalid(`an array of ${items.length}`, value);
      let i = 0;
      try {
        for (; i < items.length; i += 1) (items[i] as AnySchema).write(writer, value[i]);
      } catch (error) {
        throw step(error, `[${i}]`);
      }
    },
    read(reader) {
      const values: unknown[] = [];
      try {
        while (values.length < items.length) values.push((items[values.length] as AnySchema).read(reader));
      } catch (error) {
        throw step(error, `[${values.length}]`);
      }
      return values as T;
    },
  });
}

/** One byte, then the value if there is one (postcard: option). */
export function option<T>(item: Schema<T>): Schema<T | undefined> {
  return schema<T | undefined>({
    minBytes: 1,
    write(writer, value) {
      writer.bool(value !== undefined);
      if (value !== undefined) item.write(writer, value);
    },
    read(reader) {
      const offset = reader.offset;
      const tag = reader.u8();
      if (tag > 1) throw new WireError('non-canonical', offset, `option tag ${tag}`);
      return tag === 1 ? item.read(reader) : undefined;
    },
  });
}

/** Values that `recurring` remembers having read, by two of their bytes, and having written. */
const READ_SLOTS = 64;
const WRITTEN_SLOTS = 16;

/**
 * What `item` is, for values that come again and again: one that was read or written lately costs a comparison and a
 * copy, and reading gives out the same object. So nobody may change what was read or written.
 */
export function recurring<T extends object>(name: string, item: Schema<T>): Schema<Readonly<T>> {
  const { minBytes } = item;
  const read = new Array<{ value: T; bytes: Uint8Array } | undefined>(READ_SLOTS).fill(undefined);
  const written: T[] = [];
  const writtenBytes: Uint8Array[] = [];
  let nextWritten = 0;
  return schema<Readonly<T>>(
    {
      minBytes,
      write(writer, value) {
        const known = written.indexOf(value);
        if (known >= 0) {
          writer.raw(writtenBytes[known] as Uint8Array);
          return;
        }
        const start = writer.length;
        item.write(writer, value);
        written[nextWritten] = value;
        writtenBytes[nextWritten] = writer.since(start);
        nextWritten = (nextWritten + 1) % WRITTEN_SLOTS;
      },
      read(reader) {
        const { bytes, offset: start } = reader;
        // Around where the shortest one ends: what values differ in mostly comes last.
        const slot =
          ((bytes[start + minBytes - 1] ?? 0) ^ ((bytes[start + minBytes] ?? 0) << 3)) & (READ_SLOTS - 1);
        const known = read[slot];
        // No encoding is the beginning of another, so these bytes are this value.
        if (known && reader.skipSame(known.bytes)) return known.value;
        const value = item.read(reader);
        // A copy: the `slice` of a Buffer would be a view. What comes in a message that is refused will not come again.
        if (!reader.byField)
          read[slot] = { value, bytes: new Uint8Array(bytes.subarray(start, reader.offset)) };
        return value;
      },
    },
    name,
  );
}

/** A length, then that many values (postcard: seq). */
export function vec<T>(item: Schema<T>, options: { max?: number } = {}): Schema<T[]> {
  const max = options.max ?? DEFAULT_MAX_LENGTH;
  return schema<T[]>({
    minBytes: 1,
    write(writer, values) {
      if (!Array.isArray(values)) throw invalid('an array', values);
      if (values.length > max)
        throw new WireError('limit', 0, `length ${values.length} above the limit ${max}`);
      writer.uint32(values.length);
      let i = 0;
      try {
        for (; i < values.length; i += 1) item.write(writer, values[i] as T);
      } catch (error) {
        throw step(error, `[${i}]`);
      }
    },
    read(reader) {
      const length = reader.length(max, item.minBytes);
      // The first push would make room for 17.
      const values = length <= MAX_MADE_TO_SIZE ? new Array<T>(length) : [];
      let i = 0;
      try {
        for (; i < length; i += 1) values[i] = item.read(reader);
      } catch (error) {
        throw step(error, `[${i}]`);
      }
      return values;
    },
  });
}

/** A sequence whose values rise strictly, so that equal sets have equal bytes (postcard: seq of an ordered set). */
export function orderedSet<T extends string>(item: Schema<T>, options: { max?: number } = {}): Schema<T[]> {
  const list = vec(item, options);
  return schema<T[]>({
    minBytes: list.minBytes,
    write(writer, values) {
      if (!Array.isArray(values)) throw invalid('an array', values);
      list.write(writer, inOrder(values));
    },
    read(reader) {
      const offset = reader.offset;
      const values = list.read(reader);
      const misplaced = firstNotRising(values);
      if (misplaced < values.length)
        throw new WireError('non-canonical', offset, 'set not in strictly rising order').prepend(
          `[${misplaced}]`,
        );
      return values;
    },
  });
}

/** What a `Map` finds again by value. */
type Key = string | number | bigint | boolean;

/** A length, then that many pairs in the order given, no key twice (postcard: map). */
export function map<K extends Key, V>(
  key: Schema<K>,
  item: Schema<V>,
  options: { max?: number } = {},
): Schema<Map<K, V>> {
  const pairs = vec(tuple(key, item), options);
  return schema<Map<K, V>>({
    minBytes: 1,
    write(writer, value) {
      if (!(value instanceof Map)) throw invalid('a map', value);
      pairs.write(writer, [...value]);
    },
    read(reader) {
      const offset = reader.offset;
      const result = new Map<K, V>();
      for (const [name, value] of pairs.read(reader)) {
        if (result.has(name))
          throw new WireError('non-canonical', offset, 'key twice in a map').prepend(`[${result.size}]`);
        result.set(name, value);
      }
      return result;
    },
  });
}

type VariantSpec = AnySchema | Fields | null;
type InferVariant<Name, Spec> = Spec extends null
  ? { type: Name }
  : Spec extends Schema<infer T>
    ? { type: Name; value: T }
    : Spec extends Fields
      ? Simplify<{ type: Name } & InferFields<Spec>>
      : never;

/**
 * A discriminant as varint u32, then the variant's content (postcard: enum).
 *
 * A variant is `null` (unit variant, `{ type }`), a schema (newtype or tuple variant, `{ type, value }`), or an object
 * of fields (struct variant, the fields beside `type`). Discriminants count from 0 in the order given. `spelled` may
 * spell out struct variants, `type` being the first property.
 */
export function variants<const V extends Readonly<Record<string, VariantSpec>>>(
  name: string,
  specs: V,
  spelled: SpelledVariants<V> = {},
): Schema<{ [K in keyof V]: InferVariant<K, V[K]> }[keyof V]> {
  type T = { [K in keyof V]: InferVariant<K, V[K]> }[keyof V];
  const cases = Object.entries(specs).map(([type, spec], index) =>
    variantCase(type, spec, index, spelled[type]),
  );
  const byType = new Map(cases.map((entry) => [entry.type, entry]));
  return schema<T>(
    {
      minBytes: 1 + Math.min(...cases.map((entry) => entry.minBytes)),
      write(writer, value) {
        assertObject(value);
        const { type } = value as { type: string };
        const found = byType.get(type);
        if (!found) throw new WireError('invalid-value', 0, `unknown variant ${JSON.stringify(type)}`);
        writer.uint32(found.index);
        try {
          found.write(writer, value);
        } catch (error) {
          throw step(error, type);
        }
      },
      read(reader) {
        const offset = reader.offset;
        const index = reader.varint(0xffff_ffff);
        const found = cases[index];
        if (!found) throw new WireError('unknown-variant', offset, `unknown variant ${index}`);
        try {
          return found.read(reader) as T;
        } catch (error) {
          throw step(error, found.type);
        }
      },
    },
    name,
  );
}

type SpelledVariants<V> = {
  [K in keyof V]?: V[K] extends AnySchema | null
    ? never
    : V[K] extends Fields
      ? Spelled<V[K], InferVariant<K, V[K]>>
      : never;
};

interface VariantCase {
  type: string;
  index: number;
  minBytes: number;
  write(writer: Writer, value: unknown): void;
  read(reader: Reader): unknown;
}

function variantCase(
  type: string,
  spec: VariantSpec,
  index: number,
  // biome-ignore lint/suspicious/noExplicitAny: `SpelledVariants` ties it to the fields
  spelled: Spelled<any, any> = {},
): VariantCase {
  if (spec === null) return { type, index, minBytes: 0, write() {}, read: () => ({ type }) };
  if (isSchema(spec)) {
    return {
      type,
      index,
      minBytes: spec.minBytes,
      write: (writer, value) => spec.write(writer, (value as { value: unknown }).value),
      read: (reader) => ({ type, value: spec.read(reader) }),
    };
  }
  if (Object.hasOwn(spec, 'type')) throw new TypeError(`variant ${type}: no field can be named "type"`);
  return { type, index, ...spell(structInit(spec, type) as SchemaInit<unknown>, spec, spelled) };
}

function isSchema(spec: AnySchema | Fields): spec is AnySchema {
  return typeof spec.decode === 'function';
}

function assertObject(value: unknown): void {
  if (typeof value !== 'object' || value === null) throw invalid('an object', value);
}

/** The values once each, rising; what is no text is left for the schema of the values to refuse. */
function inOrder<T extends string>(values: T[]): T[] {
  // Most sets were decoded, or sorted when they were made.
  if (!values.every((value) => typeof value === 'string') || firstNotRising(values) === values.length)
    return values;
  return [...new Set(values)].sort(compareText);
}

/** The first value that is not above the one before it; the number of values if there is none. */
function firstNotRising(values: readonly string[]): number {
  for (let i = 1; i < values.length; i += 1)
    if (compareText(values[i - 1] as string, values[i] as string) >= 0) return i;
  return values.length;
}

/** Orders texts as their UTF-8 does: as `<`, but surrogates (U+10000 and above) come after U+E000 to U+FFFF. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return weight(x) - weight(y);
  }
  return a.length - b.length;
}

function weight(codeUnit: number): number {
  return codeUnit >= 0xd800 && codeUnit < 0xe000 ? codeUnit + 0x10000 : codeUnit;
}

function sum(items: readonly AnySchema[]): number {
  return items.reduce((total, item) => total + item.minBytes, 0);
}

function step(error: unknown, name: string): unknown {
  return error instanceof WireError ? error.prepend(name) : error;
}
