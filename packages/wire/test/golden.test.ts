import * as wire from '@mosaik/wire';
import { consensusDigest, derive, hashed, UniqueId } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { cases } from './arbitraries.ts';
import { hex } from './hex.ts';
import { refusal } from './refusal.ts';
import { sampleConfig, sampleId } from './samples.ts';
import { others, schemaOf } from './schemas.ts';
import { hashes, vectors } from './vectors.ts';

/** The one NaN that is written, whichever was read: Rust's `NAN`, little endian. */
const NAN: Readonly<Record<string, string>> = { f32: '0000c07f', f64: '000000000000f87f' };

const numbered = vectors.map((vector, i) => [`${vector.schema} #${i}`, vector] as const);

describe('encodes and decodes as the Rust crate postcard does', () => {
  test.each(numbered)('%s', (_name, { schema, bytes: encoding, value }) => {
    const codec = schemaOf(schema);
    expect(hex(codec.encode(value as never))).toBe(Number.isNaN(value) ? NAN[schema] : hex(encoding));
    const decoded = codec.decode(encoding);
    expect(decoded).toEqual(value);
    // What was read is written as what was made here: a NaN keeps no payload, and no sign.
    expect(hex(codec.encode(decoded))).toBe(hex(codec.encode(value as never)));
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

  test('of every variant of every enum, wherever it is within a message', () => {
    const enums = new Map<string, { all: Set<number>; seen: Set<number> }>();
    for (const { schema, bytes: encoding } of vectors) {
      const codec = schemaOf(schema);
      for (const [at, number] of encoding.entries()) {
        const path = unknownVariant(codec, encoding, at, 0x7f);
        if (path === undefined) continue;
        const found = enums.get(path) ?? { all: numbersAt(codec, encoding, at), seen: new Set() };
        enums.set(path, found);
        found.seen.add(number);
      }
    }
    const missing = [...enums].map(([path, { all, seen }]) => [path, [...all].filter((n) => !seen.has(n))]);
    expect(missing.filter(([, numbers]) => numbers?.length !== 0)).toEqual([]);
    expect([...enums.keys()]).toEqual(
      expect.arrayContaining([
        'BondMessage',
        'ConsensusConfig.quorum',
        'LogEntry',
        'RaftMessage.body',
        'RaftMessage.body.Append.entries[].entries[]',
        'RaftMessage.body.Refused.reason',
        'RaftMessage.body.Request.what',
        'RaftMessage.body.VoteResponse.verdict',
        'SyncMessage',
      ]),
    );
  });

  function numbersAt(codec: wire.Schema<never>, encoding: Uint8Array, at: number): Set<number> {
    const numbers = Array.from({ length: 0x7f }, (_, number) => number);
    return new Set(numbers.filter((n) => unknownVariant(codec, encoding, at, n) === undefined));
  }

  /** The path of the enum whose number is at `at`, if `number` is none of its variants there. */
  function unknownVariant(codec: wire.Schema<never>, encoding: Uint8Array, at: number, number: number) {
    const changed = Uint8Array.from(encoding);
    changed[at] = number;
    try {
      codec.decode(changed);
    } catch (error) {
      if (error instanceof wire.WireError && error.code === 'unknown-variant' && error.offset === at)
        // Kinds hold Kinds.
        return error.path.replaceAll(/\[\d+\]/g, '[]').replaceAll('.Nested', '');
    }
    return undefined;
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
    consensusDigest: hex(consensusDigest(sampleConfig)),
  };

  test.each(Object.entries(hashes))('%s', (name, id) => {
    expect(ours[name]).toBe(id);
  });

  test('and every derivation has its vector', () => {
    expect(Object.keys(ours).sort()).toEqual(Object.keys(hashes).sort());
  });
});
