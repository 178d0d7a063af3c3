import * as wire from '@mosaik/wire';
import {
  bool,
  bytes,
  char,
  consensusDigest,
  derive,
  f32,
  f64,
  fixedBytes,
  hashed,
  i8,
  i16,
  i32,
  i64,
  i128,
  map,
  option,
  orderedSet,
  type Schema,
  safeU64,
  str,
  struct,
  tuple,
  UniqueId,
  u8,
  u16,
  u32,
  u64,
  u128,
  unit,
  variants,
  vec,
} from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { cases } from './arbitraries.ts';
import { hex } from './hex.ts';
import { refusal } from './refusal.ts';
import { sampleConfigs, sampleId } from './samples.ts';
import { hashes, vectors } from './vectors.ts';

type Kinds = { type: string; value?: unknown };
/** Every kind of variant, one of which holds another. */
const Kinds: Schema<Kinds> = variants('Kinds', {
  Unit: null,
  Newtype: u16,
  Tuple: tuple(u8, str()),
  Struct: { on: bool, at: i32 },
  Empty: {},
  Nested: {
    ...unit,
    minBytes: 1,
    write: (writer: wire.Writer, value: Kinds) => Kinds.write(writer, value),
    read: (reader: wire.Reader): Kinds => Kinds.read(reader),
  } as unknown as Schema<Kinds>,
}) as Schema<Kinds>;

/** The schemas that are no messages, as tooling/vectors/src/primitives.rs calls them. */
const others: Readonly<Record<string, unknown>> = {
  bool,
  u8,
  u16,
  u32,
  u64,
  u128,
  safeU64,
  i8,
  i16,
  i32,
  i64,
  i128,
  f32,
  f64,
  char,
  unit,
  str: str(),
  bytes: bytes(),
  'fixedBytes(0)': fixedBytes(0),
  'fixedBytes(3)': fixedBytes(3),
  'option(u16)': option(u16),
  'option(str)': option(str()),
  'tuple(bool,u16,str)': tuple(bool, u16, str()),
  'tuple(u8,str)': tuple(u8, str()),
  'vec(u16)': vec(u16),
  'vec(unit)': vec(unit),
  'vec(vec(str))': vec(vec(str())),
  'orderedSet(str)': orderedSet(str()),
  'map(str,u16)': map(str(), u16),
  'map(u64,option(str))': map(u64, option(str())),
  Empty: struct('Empty', {}),
  Nested: struct('Nested', {
    name: str(),
    inner: struct('Inner', { flag: bool, nothing: unit }),
    after: option(u8),
  }),
  Kinds,
};

function schemaOf(name: string): Schema<never> {
  const found = others[name] ?? (wire as Readonly<Record<string, unknown>>)[name];
  if (!found) throw new Error(`no schema "${name}"`);
  return found as Schema<never>;
}

const numbered = vectors.map((vector, i) => [`${vector.schema} #${i}`, vector] as const);

describe('encodes and decodes as the Rust crate postcard does', () => {
  test.each(numbered)('%s', (_name, { schema, bytes: encoding, value }) => {
    const codec = schemaOf(schema);
    expect(hex(codec.encode(value as never))).toBe(hex(encoding));
    expect(codec.decode(encoding)).toEqual(value);
  });

  test('keys of a map keep the order of the vector', () => {
    const [vector] = vectors.filter(({ schema }) => schema === 'map(u64,option(str))');
    const decoded = schemaOf('map(u64,option(str))').decode(vector?.bytes ?? new Uint8Array(0));
    expect([...(decoded as Map<bigint, string | undefined>).keys()]).toEqual([2n ** 64n - 1n, 0n]);
  });

  test('no vector breaks when it is cut short, and none takes a byte more', () => {
    for (const { schema, bytes: encoding } of vectors) {
      const codec = schemaOf(schema);
      for (let length = 0; length < encoding.length; length += 1)
        refusal(() => codec.decode(encoding.subarray(0, length)));
      refusal(() => codec.decode(Uint8Array.of(...encoding, 0)));
    }
  });
});

describe('has a vector', () => {
  const covered = new Set(vectors.map(({ schema }) => schema));

  test('of every message schema that the package exports, and of every other', () => {
    expect([...Object.keys(cases), ...Object.keys(others)].filter((name) => !covered.has(name))).toEqual([]);
  });

  // The number of a variant is the first byte, in a RaftMessage of incarnation 0 the second.
  const enums = [...covered]
    .map((name) => [name, name === 'RaftMessage' ? [0] : []] as const)
    .filter(([name, before]) => unknownVariant(name, Uint8Array.of(...before, 0x7f)));

  test.each(enums)('of every variant of %s', (name, before) => {
    const numbers = Array.from({ length: 0x7f }, (_, number) => number).filter(
      (number) => !unknownVariant(name, Uint8Array.of(...before, number)),
    );
    const seen = vectors
      .filter(({ schema, bytes: encoding }) => schema === name && before.every((b, i) => encoding[i] === b))
      .map(({ bytes: encoding }) => encoding[before.length]);
    expect(numbers.length).toBeGreaterThan(1);
    expect(numbers.filter((number) => !seen.includes(number))).toEqual([]);
  });

  test('of the variants of as many enums as there are', () => {
    expect(enums.map(([name]) => name)).toEqual(
      expect.arrayContaining(['BondMessage', 'LogEntry', 'RaftMessage', 'SyncMessage']),
    );
  });

  function unknownVariant(name: string, input: Uint8Array): boolean {
    try {
      schemaOf(name).decode(input);
      return false;
    } catch (error) {
      return error instanceof wire.WireError && error.code === 'unknown-variant';
    }
  }
});

describe('derives ids as the Rust crate blake3 does', () => {
  const ours: Record<string, string> = {
    'UniqueId.from my-app': UniqueId.from('my-app'),
    'UniqueId.from grüße': UniqueId.from('grüße'),
    'UniqueId.from nothing': UniqueId.from(''),
    hashed: hashed(sampleId(1)),
    'derive id': derive(sampleId(1), sampleId(2)),
    'derive text': derive(sampleId(1), 'text'),
    'derive bytes': derive(sampleId(1), new Uint8Array(40).fill(0xff)),
    consensusDigest: hex(consensusDigest(sampleConfigs.dynamic)),
  };

  test.each(Object.entries(hashes))('%s', (name, id) => {
    expect(ours[name]).toBe(id);
  });

  test('and every derivation has its vector', () => {
    expect(Object.keys(ours).sort()).toEqual(Object.keys(hashes).sort());
  });
});
