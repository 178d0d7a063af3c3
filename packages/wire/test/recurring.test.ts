import { bool, bytes, RaftEpoch, RaftMessage, type Schema, struct } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { refusal } from './refusal.ts';
import { sampleId } from './samples.ts';

const epochOf = (nonce: bigint): RaftEpoch => ({ term: 300, leader: sampleId(1), nonce });

describe('values that recur', () => {
  test('are given out as the same object, from wherever they are read', () => {
    const first = RaftEpoch.decode(RaftEpoch.encode(epochOf(1n << 63n)));
    expect(first).toEqual(epochOf(1n << 63n));
    expect(RaftEpoch.decode(RaftEpoch.encode(epochOf(1n << 63n)))).toBe(first);
    expect(RaftEpoch.decode(RaftEpoch.encode(first))).toBe(first);
  });

  test('do not take the place of others, however alike, nor of what is cut short', () => {
    const bytes = RaftEpoch.encode(epochOf(1n << 63n));
    expect(RaftEpoch.decode(bytes)).toEqual(epochOf(1n << 63n));
    expect(RaftEpoch.decode(RaftEpoch.encode(epochOf((1n << 63n) + (1n << 56n))))).toEqual(
      epochOf((1n << 63n) + (1n << 56n)),
    );
    for (let length = 0; length < bytes.length; length += 1)
      expect(refusal(() => RaftEpoch.decode(bytes.subarray(0, length))).code).toBe('too-short');
    expect(refusal(() => RaftEpoch.decode(Uint8Array.of(...bytes, 0))).code).toBe('trailing-bytes');
  });

  test('are remembered apart from the buffer that they came in', () => {
    const buffer = Buffer.from(RaftEpoch.encode(epochOf(5n << 40n)));
    expect(RaftEpoch.decode(buffer)).toEqual(epochOf(5n << 40n));
    RaftEpoch.encode(epochOf(6n << 40n)).forEach((byte, i) => {
      buffer[i] = byte;
    });
    expect(RaftEpoch.decode(buffer)).toEqual(epochOf(6n << 40n));
  });

  test('are written as what they are, more of them than are remembered, in any order', () => {
    const epochs = Array.from({ length: 200 }, (_, i) => epochOf(BigInt(i) << 3n));
    for (let round = 0; round < 3; round += 1)
      for (const epoch of [...epochs, ...epochs.toReversed()])
        expect(RaftEpoch.decode(RaftEpoch.encode(epoch))).toEqual(epoch);
  });

  test('are not remembered when they are refused', () => {
    const wrong = { ...epochOf(1n), term: -1 };
    for (let i = 0; i < 2; i += 1) {
      const error = refusal(() => RaftEpoch.encode(wrong));
      expect([error.code, error.path]).toEqual(['invalid-value', 'RaftEpoch.term']);
    }
  });
});

test('what is refused while writing is found once for each level, and keeps no buffer', () => {
  let writes = 0;
  const leaf = struct(
    'Leaf',
    { bytes: bytes(), flag: bool },
    {
      write(writer, fields, value) {
        writes += 1;
        fields.bytes.write(writer, value.bytes);
        fields.flag.write(writer, value.flag);
      },
    },
  );
  let nested: Schema<unknown> = leaf as Schema<unknown>;
  let value: unknown = { bytes: new Uint8Array(1 << 20), flag: 'no' };
  for (let depth = 0; depth < 12; depth += 1) {
    const inner = nested;
    nested = struct(
      'Node',
      { x: inner },
      { write: (writer, { x }, node) => x.write(writer, node.x) },
    ) as Schema<unknown>;
    value = { x: value };
  }
  const error = refusal(() => nested.encode(value));
  expect(error.path).toBe(`Node.${'x.'.repeat(12)}flag`);
  expect(writes).toBe(1);
  let right: unknown = { bytes: new Uint8Array(100), flag: true };
  for (let depth = 0; depth < 12; depth += 1) right = { x: right };
  expect(nested.encode(right).buffer.byteLength).toBeLessThanOrEqual(32 * 1024);
});

test('what a hostile message is refused for is found once for each level, not twice for each', () => {
  const epoch = epochOf(7n);
  const value = new Uint8Array(2);
  const command = { type: 'Command' as const, session: 0, sequence: 0, unacked: 0, value };
  const bytes = RaftMessage.encode({
    incarnation: 1n,
    body: {
      type: 'Append',
      epoch,
      side: undefined,
      prev: undefined,
      entries: [{ epoch, entries: Array.from({ length: 1000 }, () => command) }],
      commit: 0,
      round: 0,
      durable: 0,
    },
  });
  // Commands of seven bytes, then three numbers: where one of the commands begins.
  const inTheMiddle = String(bytes.length - 3 - 7 * 500);
  let reads = 0;
  // The last command's value becomes longer than what is left.
  bytes[bytes.length - 6] = 0x7f;
  const counted = new Proxy(bytes, {
    get(target, key) {
      if (key === inTheMiddle) reads += 1;
      const got = Reflect.get(target, key, target);
      return typeof got === 'function' ? got.bind(target) : got;
    },
  });
  const error = refusal(() => RaftMessage.decode(counted));
  expect(error.path).toBe('RaftMessage.body.Append.entries[0].entries[999]');
  // The message, the append, and the run are each read again.
  expect(reads).toBe(4);
});
