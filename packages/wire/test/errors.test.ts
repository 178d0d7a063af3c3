import {
  bool,
  bytes,
  f32,
  fixedBytes,
  i8,
  i64,
  id,
  map,
  orderedSet,
  PeerEntry,
  type SignedPeerEntry as Signed,
  SignedPeerEntry,
  str,
  struct,
  tuple,
  u8,
  u16,
  u64,
  variants,
  vec,
} from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { unhex } from './hex.ts';
import { refusal } from './refusal.ts';
import { sampleEntry, sampleId, sampleSigned } from './samples.ts';

function withTickets(lastData: unknown): Signed {
  const ticket = { ticketClass: sampleId<never>(5), data: new Uint8Array(1) };
  const tickets = [ticket, ticket, ticket, { ...ticket, data: lastData as Uint8Array }];
  return { ...sampleSigned, entry: { ...sampleEntry, tickets } };
}

describe('an error names the place from the message inwards', () => {
  test('while encoding', () => {
    const error = refusal(() => SignedPeerEntry.encode(withTickets(new Uint8Array(4097))));
    expect(error.path).toBe('SignedPeerEntry.entry.tickets[3].data');
    expect(error.code).toBe('limit');
    expect(error.message).toBe(
      'SignedPeerEntry.entry.tickets[3].data: 4097 bytes above the limit 4096 at byte 0',
    );
  });

  test('while decoding, with the offset of the refused item', () => {
    const encoded = SignedPeerEntry.encode(withTickets(new Uint8Array(1).fill(0xee)));
    const offset = encoded.indexOf(0xee) - 1;
    encoded[offset] = 0x7f;
    const error = refusal(() => SignedPeerEntry.decode(encoded));
    expect({ path: error.path, code: error.code, offset: error.offset }).toEqual({
      path: 'SignedPeerEntry.entry.tickets[3].data',
      code: 'too-short',
      offset,
    });
  });

  test('in variants, tuples, sets and maps', () => {
    const schema = variants('M', {
      Pairs: { list: vec(tuple(u8, bool)) },
      Ids: orderedSet(str()),
      Table: map(str(), u8),
    });
    const path = (text: string) => refusal(() => schema.decode(unhex(text))).path;
    expect(path('00 02 01 01 01 02')).toBe('M.Pairs.list[1][1]');
    expect(path('01 02 01 62 01 61')).toBe('M.Ids[1]');
    expect(path('02 02 01 62 00 01 62 00')).toBe('M.Table[1]');
    expect(path('03')).toBe('M');
  });

  test('and is a WireError with a stable name', () => {
    const error = refusal(() => PeerEntry.decode(new Uint8Array(0)));
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('WireError');
    expect(error.path).toBe('PeerEntry.peerId');
  });
});

describe('refuses to encode what its type does not allow', () => {
  const point = struct('Point', { x: u8 });
  const choice = variants('Choice', { A: null, B: u8, C: { x: u8 } });
  test.each([
    ['u8 of 256', u8, 256],
    ['u8 of −1', u8, -1],
    ['u8 of 1.5', u8, 1.5],
    ['u8 of NaN', u8, Number.NaN],
    ['u8 of a string', u8, '1'],
    ['i8 of 128', i8, 128],
    ['u16 of 65536', u16, 65536],
    ['u64 of a number', u64, 1],
    ['u64 of −1', u64, -1n],
    ['u64 of 2^64', u64, 2n ** 64n],
    ['i64 of 2^63', i64, 2n ** 63n],
    ['f32 of 1e39', f32, 1e39],
    ['bool of 1', bool, 1],
    ['text with a lone surrogate', str(), '\ud800'],
    ['text of a number', str(), 5],
    ['bytes of an array', bytes(), [1]],
    ['a fixed array one byte short', fixedBytes(4), new Uint8Array(3)],
    ['an id of 63 digits', id(), 'a'.repeat(63)],
    ['an id in capitals, which has another spelling', id(), 'A'.repeat(64)],
    ['a sequence of a string', vec(u8), 'ab'],
    ['a set of undefined', orderedSet(str()), undefined],
    ['a tuple one short', tuple(u8, u8), [1]],
    ['a map of an object', map(str(), u8), {}],
    ['a struct of undefined', point, undefined],
    ['a struct without its field', point, {}],
    ['a variant of null', choice, null],
    ['a variant that does not exist', choice, { type: 'D' }],
    ['a variant named like a method of every object', choice, { type: 'toString' }],
    ['a newtype variant without its value', choice, { type: 'B' }],
    ['a struct variant without its field', choice, { type: 'C' }],
  ])('%s', (_name, codec, value) => {
    expect(refusal(() => codec.encode(value as never)).code).toBe('invalid-value');
  });

  test.each([
    ['bytes', bytes({ max: 2 }), new Uint8Array(3)],
    ['text, in bytes of UTF-8', str({ max: 3 }), 'éé'],
    ['a sequence', vec(u8, { max: 2 }), [1, 2, 3]],
    ['a set', orderedSet(str(), { max: 1 }), ['a', 'b']],
    ['a map', map(str(), u8, { max: 0 }), new Map([['a', 1]])],
  ])('%s above the limit', (_name, codec, value) => {
    expect(refusal(() => codec.encode(value as never)).code).toBe('limit');
  });

  test.each([
    ['text exactly at the limit', str({ max: 4 }), 'éé'],
    ['a set that repeats a value, within the limit without it', orderedSet(str(), { max: 1 }), ['a', 'a']],
  ])('but encodes %s', (_name, codec, value) => {
    expect(codec.encode(value as never)).toBeInstanceOf(Uint8Array);
  });

  test('the message never shows the value: it may be a secret', () => {
    const error = refusal(() => fixedBytes(4).encode('hunter2' as never));
    expect(error.message).not.toContain('hunter2');
  });

  test('a struct variant cannot have a field named "type"', () => {
    expect(() => variants('V', { A: { type: u8 } })).toThrow(TypeError);
  });
});
