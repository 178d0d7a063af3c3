import { readFileSync } from 'node:fs';
import {
  AnnounceMessage,
  BondMessage,
  bool,
  bytes,
  type Codec,
  ConsensusConfig,
  consensusDigest,
  derive,
  f32,
  f64,
  fixedBytes,
  HandshakeEnd,
  HandshakeStart,
  hashed,
  i8,
  i16,
  i32,
  i64,
  LogEntry,
  map,
  option,
  orderedSet,
  PeerEntry,
  SignedPeerEntry,
  SyncMessage,
  str,
  tuple,
  UniqueId,
  u8,
  u16,
  u32,
  u64,
  unit,
  vec,
} from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { hex, unhex } from './hex.ts';
import {
  sampleAnnounceMessages,
  sampleBondMessages,
  sampleConfigs,
  sampleEnd,
  sampleEntry,
  sampleId,
  sampleLogEntries,
  sampleSigned,
  sampleStart,
  sampleSyncMessages,
} from './samples.ts';

/** What the Rust crates postcard and blake3 give (vectors/postcard.rs). */
const vectors: Record<string, string> = JSON.parse(
  readFileSync(new URL('vectors/postcard.json', import.meta.url), 'utf8'),
);

interface Row {
  codec: Codec<never>;
  value: unknown;
}
const row = <T>(codec: Codec<T>, value: T): Row => ({ codec: codec as Codec<never>, value });

const fixed: Record<string, Row> = {
  'bool false': row(bool, false),
  'bool true': row(bool, true),
  unit: row(unit, undefined),
  'str 200 x': row(str(), 'x'.repeat(200)),
  'bytes 0': row(bytes(), new Uint8Array(0)),
  'bytes 3': row(bytes(), Uint8Array.of(1, 2, 3)),
  'bytes 128 zeros': row(bytes(), new Uint8Array(128)),
  'fixedBytes 3': row(fixedBytes(3), Uint8Array.of(1, 2, 3)),
  'option none': row(option(u16), undefined),
  'option 300': row(option(u16), 300),
  'vec u16': row(vec(u16), [1, 300, 65535]),
  tuple: row(tuple(bool, u16, str()), [true, 300, 'x']),
  'set str': row(orderedSet(str()), ['a', 'aa', 'b', '\uffff', '😀']),
  'map str u16': row(
    map(str(), u16),
    new Map([
      ['a', 300],
      ['b', 1],
      ['\uffff', 3],
      ['😀', 4],
    ]),
  ),
  PeerEntry: row(PeerEntry, sampleEntry),
  SignedPeerEntry: row(SignedPeerEntry, sampleSigned),
  HandshakeStart: row(HandshakeStart, sampleStart),
  HandshakeEnd: row(HandshakeEnd, sampleEnd),
  'ConsensusConfig dynamic': row(ConsensusConfig, sampleConfigs.dynamic),
  'ConsensusConfig voters': row(ConsensusConfig, sampleConfigs.voters),
};
for (const [type, message] of Object.entries(sampleBondMessages))
  fixed[`BondMessage ${type}`] = row<BondMessage>(BondMessage, message);
for (const [type, message] of Object.entries(sampleSyncMessages))
  fixed[`SyncMessage ${type}`] = row<SyncMessage>(SyncMessage, message);
for (const [type, message] of Object.entries(sampleAnnounceMessages))
  fixed[`AnnounceMessage ${type}`] = row<AnnounceMessage>(AnnounceMessage, message);
for (const entry of sampleLogEntries) fixed[`LogEntry ${entry.type}`] = row(LogEntry, entry);

const numbers = { u8, u16, u32, i8, i16, i32, f32, f64 };
const bigints = { u64, i64 };

function rowOf(name: string): Row | undefined {
  const [type = '', ...rest] = name.split(' ');
  const text = rest.join(' ');
  if (fixed[name]) return fixed[name];
  // Rust prints a float in the fewest digits that name it: the closest 32-bit float is the one meant.
  if (type === 'f32') return row(f32, Math.fround(Number(text)));
  if (type in numbers) return row(numbers[type as keyof typeof numbers], Number(text));
  if (type in bigints) return row(bigints[type as keyof typeof bigints], BigInt(text));
  if (type === 'str') return row(str(), text);
  return undefined;
}

const hashes: Record<string, string> = {
  'UniqueId.from my-app': UniqueId.from('my-app'),
  'UniqueId.from grüße': UniqueId.from('grüße'),
  hashed: hashed(sampleId(1)),
  'derive id': derive(sampleId(1), sampleId(2)),
  'derive text': derive(sampleId(1), 'text'),
  consensusDigest: hex(consensusDigest(sampleConfigs.dynamic)),
};

describe('encodes and decodes as the Rust crate postcard does', () => {
  test.each(Object.entries(vectors).filter(([name]) => !(name in hashes)))('%s', (name, expected) => {
    const found = rowOf(name);
    if (!found) throw new Error(`no value for the vector "${name}"`);
    expect(hex(found.codec.encode(found.value as never))).toBe(expected);
    expect(found.codec.decode(unhex(expected))).toEqual(found.value);
  });

  test('every value has its vector', () => {
    expect(Object.keys(fixed).filter((name) => !(name in vectors))).toEqual([]);
    expect(Object.keys(hashes).filter((name) => !(name in vectors))).toEqual([]);
  });
});

describe('derives ids as the Rust crate blake3 does', () => {
  test.each(Object.entries(hashes))('%s', (name, id) => {
    expect(id).toBe(vectors[name]);
  });
});
