import { readFileSync } from 'node:fs';
import * as wire from '@mosaik/wire';
import type { Subject } from './fuzz-codecs.ts';

const vectorsUrl = new URL('../../vectors/vectors.json', import.meta.url);

/** Every kind of schema there is; no floats, of which NaN has many encodings, and every message is canonical. */
const Everything = wire.struct('Everything', {
  bits: wire.tuple(wire.bool, wire.u8, wire.i8, wire.u16, wire.i16, wire.u32, wire.i32),
  wide: wire.tuple(wire.safeU64, wire.u64, wire.i64, wire.u128, wire.i128),
  text: wire.str({ max: 300 }),
  letters: wire.vec(wire.char),
  nothing: wire.unit,
  bytes: wire.bytes({ max: 300 }),
  fixed: wire.fixedBytes(3),
  id: wire.id(),
  maybe: wire.option(wire.str()),
  set: wire.orderedSet(wire.str()),
  table: wire.map(wire.str(), wire.vec(wire.u16)),
  counts: wire.map(wire.u64, wire.bool),
  choice: wire.variants('Choice', {
    A: null,
    B: wire.u16,
    C: wire.tuple(wire.u8, wire.str()),
    D: { on: wire.bool },
  }),
});

const everything: wire.Infer<typeof Everything> = {
  bits: [true, 200, -5, 300, -300, 70_000, -70_000],
  wide: [2 ** 40, 2n ** 63n, -(2n ** 63n), 2n ** 127n, -(2n ** 127n)],
  text: 'grüße',
  letters: ['a', 'ß', '😀'],
  nothing: undefined,
  bytes: Uint8Array.of(1, 2, 3),
  fixed: Uint8Array.of(4, 5, 6),
  id: wire.UniqueId.from('everything'),
  maybe: 'perhaps',
  set: ['a', 'b', 'é'],
  table: new Map([
    ['a', [1, 300]],
    ['b', []],
  ]),
  counts: new Map([
    [300n, true],
    [1n, false],
  ]),
  choice: { type: 'C', value: [7, 'c'] },
};

/** Every message schema that the package exports, with its golden vectors, and one schema of everything else. */
export function wireSubjects(): Subject[] {
  const { values } = JSON.parse(readFileSync(vectorsUrl, 'utf8')) as {
    values: { schema: string; bytes: string }[];
  };
  const isSchema = (value: unknown): value is wire.Schema<unknown> =>
    typeof (value as { decode?: unknown } | undefined)?.decode === 'function';
  const messages = Object.entries(wire)
    .filter(([name]) => /^[A-Z]/.test(name))
    .flatMap(([name, codec]) => (isSchema(codec) ? [{ name, codec }] : []));
  return [
    ...messages.map(({ name, codec }) => ({
      name,
      codec,
      seeds: values.filter(({ schema }) => schema === name).map(({ bytes }) => Buffer.from(bytes, 'hex')),
    })),
    { name: 'Everything', codec: Everything as wire.Codec<unknown>, seeds: [Everything.encode(everything)] },
  ];
}
