import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as wire from '@mosaik/wire';
import { expect, test } from 'vitest';

/** The README's bound: for each byte of input, and beside it. */
const MOST_PER_BYTE = 256;
const MOST_BESIDE = 16 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Memory that `decode` takes, the least of several times: the engine compiles and learns now and then. */
function taken(decode: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i += 1) {
    collect();
    const before = process.memoryUsage();
    let kept: unknown;
    try {
      kept = decode();
    } catch (error) {
      kept = error;
    }
    const after = process.memoryUsage();
    const used = after.heapUsed + after.external - before.heapUsed - before.external;
    if (used > 0 && kept !== undefined) least = Math.min(least, used);
  }
  return least === Number.POSITIVE_INFINITY ? 0 : least;
}

const full = (bytes: number[], length: number) => Uint8Array.from({ length }, (_, i) => bytes[i] ?? 0);

// 60 000 in three bytes of varint; what follows is as many elements of the fewest bytes there are.
const wide: [string, wire.Codec<unknown>, Uint8Array][] = [
  ['empty byte strings', wire.vec(wire.bytes()), full([0xe0, 0xd4, 0x03], 60_003)],
  ['empty texts', wire.vec(wire.str()), full([0xe0, 0xd4, 0x03], 60_003)],
  ['empty sequences', wire.vec(wire.vec(wire.u8)), full([0xe0, 0xd4, 0x03], 60_003)],
  ['absent options', wire.vec(wire.option(wire.u8)), full([0xe0, 0xd4, 0x03], 60_003)],
  ['pings', wire.vec(wire.BondMessage) as never, full([0xe0, 0xd4, 0x03], 60_003)],
  ['a length without its elements', wire.vec(wire.u8), full([0xe0, 0xd4, 0x03], 1000)],
];

test.each(wide)('decoding %s takes a bounded multiple of the input', (_name, codec, input) => {
  expect(taken(() => codec.decode(input))).toBeLessThan(MOST_PER_BYTE * input.length + MOST_BESIDE);
});
