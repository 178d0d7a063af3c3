import { derive, hashed, idBytes, idFromBytes, isId, type PeerId, parseId, UniqueId } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { hex } from './hex.ts';
import { sampleId } from './samples.ts';

describe('UniqueId.from hashes with BLAKE3 (vectors of the BLAKE3 team, first 32 bytes of "hash")', () => {
  // Input: 0, 1, 2 … 250, 0, 1 … of the given length.
  test.each([
    [0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
    [1, '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
    [1023, '10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11'],
    [1024, '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7'],
    [1025, 'd00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444'],
    [4097, '9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995'],
  ])('%i bytes', (length, expected) => {
    expect(UniqueId.from(Uint8Array.from({ length }, (_, i) => i % 251))).toBe(expected);
  });

  test('empty text and no bytes are one id', () => {
    expect(UniqueId.from('')).toBe(UniqueId.from(new Uint8Array(0)));
  });
});

describe('UniqueId.from', () => {
  test('decodes 64 hex digits of either case instead of hashing them', () => {
    expect(UniqueId.from('AB'.repeat(32))).toBe('ab'.repeat(32));
  });

  test.each(['ab'.repeat(31), `${'ab'.repeat(32)} `, 'xy'.repeat(32)])('hashes anything else: %j', (text) => {
    expect(UniqueId.from(text)).toBe(UniqueId.from(new TextEncoder().encode(text)));
  });

  test('hashes 32 bytes, which are not yet an id', () => {
    expect(UniqueId.from(new Uint8Array(32))).not.toBe(sampleId(0));
  });
});

describe('derivation', () => {
  const text = (value: string) => new TextEncoder().encode(value);

  test('derive(id, data) is blake3(id ‖ data)', () => {
    const joined = Uint8Array.of(...idBytes(sampleId(1)), ...text('data'));
    expect(derive(sampleId(1), 'data')).toBe(UniqueId.from(joined));
    expect(derive(sampleId(1), text('data'))).toBe(UniqueId.from(joined));
  });

  test('an id as data stands for its 32 bytes', () => {
    expect(derive(sampleId(1), sampleId(2))).toBe(derive(sampleId(1), idBytes(sampleId(2))));
  });

  test('hashed(id) is blake3 of its 32 bytes', () => {
    expect(hashed(sampleId(0))).toBe(UniqueId.from(new Uint8Array(32)));
  });
});

describe('parsing', () => {
  test('parseId gives the one spelling', () => {
    expect(parseId<PeerId>('AB'.repeat(32))).toBe('ab'.repeat(32));
  });

  test.each(['', 'ab', 'g'.repeat(64), `${'a'.repeat(64)}\n`, ` ${'a'.repeat(64)}`])(
    'refuses %j',
    (value) => {
      expect(isId(value)).toBe(false);
      expect(() => parseId(value)).toThrow(TypeError);
    },
  );

  test('shows at most 80 characters of what it refuses', () => {
    expect(() => parseId('z'.repeat(10_000))).toThrow(/^.{0,130}$/);
  });

  test.each([0, 31, 33])('idFromBytes refuses %i bytes', (length) => {
    expect(() => idFromBytes(new Uint8Array(length))).toThrow(RangeError);
  });

  test('idBytes and idFromBytes are inverse, and copy', () => {
    const bytes = idBytes(sampleId(3));
    expect(idFromBytes(bytes)).toBe(sampleId(3));
    bytes.fill(0);
    expect(hex(idBytes(sampleId(3)))).toBe('03'.repeat(32));
  });
});
