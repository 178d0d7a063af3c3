import { bytes, type Codec, Reader, struct, u16, u32, vec } from '@mosaik/wire';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkDecode } from '../src/codec-check.ts';
import { Coverage } from '../src/coverage.ts';
import { fuzzCodecs, type Subject } from '../src/fuzz-codecs.ts';
import { createMutator } from '../src/mutator.ts';
import { wireSubjects } from '../src/wire-subjects.ts';

const Sound = struct('Planted', { count: u16, items: vec(u32, { max: 100 }), data: bytes({ max: 50 }) });
const seeds = [Sound.encode({ count: 300, items: [1, 70_000], data: Uint8Array.of(1, 2, 3) })];
type Planted = ReturnType<typeof Sound.decode>;
const STEPS_INPUTS = 100_000;

function fuzz(decode: (bytes: Uint8Array) => Planted) {
  const subject: Subject = {
    name: 'Planted',
    codec: { encode: Sound.encode, decode } as Codec<unknown>,
    seeds,
  };
  return fuzzCodecs([subject], { seed: 1, inputs: 20_000 });
}

/** Values that a careless decoder would keep, so that their memory is seen. */
const kept: unknown[] = [];

describe('catches a planted', () => {
  test('crash', () => {
    const { failure } = fuzz((input) => {
      if (input[2] === 0x7f) throw new TypeError('planted');
      return Sound.decode(input);
    });
    expect(failure?.problem).toBe('decode throws TypeError: planted');
    expect(Buffer.from(failure?.hex ?? '', 'hex')[2]).toBe(0x7f);
  });

  test('second encoding of a value', () => {
    const { failure } = fuzz((input) => {
      const reader = new Reader(input);
      try {
        // As a decoder that does not look at what is left.
        return Sound.read(reader);
      } catch {
        return Sound.decode(input);
      }
    });
    expect(failure?.problem).toMatch(/^decodes, but is encoded as /);
  });

  test('allocation of what a length prefix says', () => {
    const { failure } = fuzz((input) => {
      const value = Sound.decode(input);
      if (value.count > 5000) kept.push(new Uint8Array(value.count * 20));
      return value;
    });
    expect(failure?.problem).toMatch(/^decode takes \d+ bytes of memory for/);
  });

  test('value that is not its own', () => {
    const { failure } = fuzz((input) => ({ ...Sound.decode(input), count: 1 }));
    expect(failure?.problem).toMatch(/^decodes, but is encoded as /);
  });
});

describe('a crash behind bytes that are only right together', () => {
  // Each step is code of its own, and an input that comes a step further is refused like all others.
  const decode = (input: Uint8Array): Planted => {
    if ((input[0] ?? 0) >> 4 === 0xb) {
      if ((input[1] ?? 0) >> 4 === 0x9) {
        if ((input[2] ?? 0) >> 4 === 0x6) {
          if ((input[3] ?? 0) >> 4 === 0xd) throw new TypeError('planted');
        }
      }
    }
    return Sound.decode(new Uint8Array(0));
  };
  const subject = { name: 'Planted', codec: { encode: Sound.encode, decode } as Codec<unknown>, seeds };

  test('is found where coverage guides', () => {
    const coverage = Coverage.start((url) => url.endsWith('planted.test.ts'));
    onTestFinished(() => coverage.stop());
    const { failure } = fuzzCodecs([subject], { seed: 1, inputs: STEPS_INPUTS, coverage });
    expect(failure?.problem).toBe('decode throws TypeError: planted');
    expect(coverage.seenBytes).toBeGreaterThan(0);
  });

  test('is not found in as many inputs without', () => {
    expect(fuzzCodecs([subject], { seed: 1, inputs: STEPS_INPUTS }).failure).toBeUndefined();
  });
});

test('finds nothing in a sound codec', () => {
  const { inputs, failure } = fuzz(Sound.decode);
  expect({ inputs, failure }).toEqual({ inputs: 20_000, failure: undefined });
});

test('every schema of the wire package holds for a short run, and its seeds decode', () => {
  const subjects = wireSubjects();
  expect(subjects.length).toBeGreaterThan(15);
  for (const { name, codec, seeds } of subjects)
    for (const seed of seeds) expect(checkDecode(name, codec, seed)).toEqual({ accepted: true });
  const result = fuzzCodecs(subjects, { seed: 1, seconds: 3 });
  expect(result.failure).toBeUndefined();
  expect(result.inputs).toBeGreaterThan(subjects.length);
  expect(result.accepted).toBeGreaterThan(0);
});

test('one seed gives the same inputs again', () => {
  const inputs = (seed: number) => {
    const mutator = createMutator(seed);
    return Array.from({ length: 200 }, () => Buffer.from(mutator.next(seeds)).toString('hex'));
  };
  expect(inputs(7)).toEqual(inputs(7));
  expect(inputs(7)).not.toEqual(inputs(8));
});
