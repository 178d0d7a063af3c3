import * as wire from '@mosaik/wire';
import { WireError } from '@mosaik/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from './arbitraries.ts';
import { hex } from './hex.ts';
import { primitiveCases } from './primitive-arbitraries.ts';

/** Whether `bytes` decode; anything but a WireError passes through. */
function decodes(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}

test('every message schema that the package exports is put to the laws', () => {
  const exported = Object.entries(wire)
    .filter(
      ([name, value]) => /^[A-Z]/.test(name) && typeof (value as { decode?: unknown }).decode === 'function',
    )
    .map(([name]) => name);
  expect(exported.length).toBeGreaterThan(5);
  expect(Object.keys(cases).sort()).toEqual(exported.sort());
});

describe.each(Object.entries({ ...primitiveCases, ...cases }))('%s', (_name, { schema, values }) => {
  const encoded = values.map((value) => schema.encode(value));

  test('decodes what it encodes', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(schema.decode(schema.encode(value))).toEqual(value);
      }),
    );
  });

  test('takes no fewer bytes than it says', () => {
    fc.assert(fc.property(encoded, (bytes) => bytes.length >= schema.minBytes));
  });

  test('decodes no strict prefix of an encoding, and nothing after it', () => {
    fc.assert(
      fc.property(encoded, fc.nat({ max: 255 }), (bytes, extra) => {
        for (let length = 0; length < bytes.length; length += 1)
          if (decodes(schema.decode, bytes.subarray(0, length))) return false;
        return !decodes(schema.decode, Uint8Array.of(...bytes, extra));
      }),
      { numRuns: 30 },
    );
  });

  test('gives every value but NaN one encoding: changed bytes are another value or refused', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(encoded, change, (bytes, [position, flip]) => {
        const changed = bytes.slice();
        const at = position % Math.max(1, changed.length);
        changed[at] = (changed[at] ?? 0) ^ flip;
        if (decodes(schema.decode, changed) && !Number.isNaN(schema.decode(changed)))
          expect(hex(schema.encode(schema.decode(changed)))).toBe(hex(changed));
      }),
      { numRuns: 300 },
    );
  });

  test('refuses arbitrary bytes with nothing but a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        decodes(schema.decode, bytes);
      }),
      { numRuns: 300 },
    );
  });
});
