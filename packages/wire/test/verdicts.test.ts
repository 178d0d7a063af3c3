import { readFileSync } from 'node:fs';
import { WireError, type WireErrorCode } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { hex, unhex } from './hex.ts';
import { schemaOf } from './schemas.ts';

/** What the Rust crate postcard makes of inputs of one schema (tooling/vectors/README.md). */
interface Verdicts {
  refused: string[];
  /** Written back as they are. */
  kept: string[];
  /** Written back as something else. */
  changed: Record<string, string>;
}

const verdicts: Record<string, Verdicts> = JSON.parse(
  readFileSync(new URL('../../../tooling/vectors/verdicts.json', import.meta.url), 'utf8'),
);

interface Strictness {
  code: WireErrorCode;
  problem: RegExp;
  /** It is the value that is refused, whose one encoding the input may be. */
  ofValues?: true;
}

/** Every way in which we refuse what Rust reads. */
const STRICTER: Readonly<Record<string, Strictness>> = {
  'bytes are left over': { code: 'trailing-bytes', problem: /bytes too many/ },
  'a varint has more bytes than it needs': { code: 'non-canonical', problem: /varint in more/ },
  // Eight bytes hold 2^53 − 1: a ninth is not looked at.
  'a varint has more bytes than any of its type': { code: 'out-of-range', problem: /integer above/ },
  'a set does not rise': { code: 'non-canonical', problem: /set not in strictly rising/ },
  'a char is more than one': { code: 'out-of-range', problem: /not one character/ },
  'a map has a key twice': { code: 'non-canonical', problem: /key twice/, ofValues: true },
  'a safeU64 is above 2^53 − 1': { code: 'out-of-range', problem: /above 9007199254740991 /, ofValues: true },
  'a length is above its limit': { code: 'limit', problem: /above the limit/, ofValues: true },
  'a command has more unacknowledged sequences than there are': {
    code: 'out-of-range',
    problem: /^(LogEntry|RaftMessage.*): integer above/,
    ofValues: true,
  },
};

/** What becomes of an input here: its new encoding, or why it has none. */
function judged(schema: string, input: string): string | WireError {
  const codec = schemaOf(schema);
  try {
    return hex(codec.encode(codec.decode(unhex(input))));
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

function isNaNOf(schema: string, input: string): boolean {
  return /^f(32|64)$/.test(schema) && Number.isNaN(schemaOf(schema).decode(unhex(input)));
}

const met = new Set<string>();

/** How we are stricter than Rust, which wrote back the input (`kept`) or something else. */
function wayOf(error: WireError, kept: boolean): string | undefined {
  const way = Object.entries(STRICTER).find(
    ([, { code, problem, ofValues }]) =>
      error.code === code && problem.test(error.message) && (ofValues || !kept),
  )?.[0];
  if (way !== undefined) met.add(way);
  return way;
}

describe.each(Object.entries(verdicts))(
  'beside the Rust crate postcard, %s',
  (schema, { refused, kept, changed }) => {
    test('refuses what it refuses', () => {
      for (const input of refused)
        expect([input, judged(schema, input)]).toEqual([input, expect.any(WireError)]);
    });

    test('reads what it reads and writes as it is, but for values that the schema does not have', () => {
      for (const input of kept) {
        const ours = judged(schema, input);
        if (ours instanceof WireError)
          expect([input, wayOf(ours, true)]).toEqual([input, expect.any(String)]);
        else if (!isNaNOf(schema, input)) expect(ours).toBe(input);
      }
    });

    test('refuses what it reads and writes as something else: a value has one encoding', () => {
      for (const input of Object.keys(changed)) {
        const ours = judged(schema, input);
        if (ours instanceof WireError)
          expect([input, wayOf(ours, false)]).toEqual([input, expect.any(String)]);
        else expect([input, ours]).toEqual([input, 'refused']);
      }
    });
  },
);

test('every way of being stricter is met', () => {
  expect(Object.keys(STRICTER).filter((way) => !met.has(way))).toEqual([]);
});

test('there are some thousand inputs, of every kind', () => {
  const all = Object.values(verdicts);
  expect(all.reduce((sum, { refused }) => sum + refused.length, 0)).toBeGreaterThan(1000);
  expect(all.reduce((sum, { kept }) => sum + kept.length, 0)).toBeGreaterThan(500);
  expect(all.reduce((sum, { changed }) => sum + Object.keys(changed).length, 0)).toBeGreaterThan(1000);
});
