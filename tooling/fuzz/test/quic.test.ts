import { expect, test } from 'vitest';
import { fuzzQuic } from '../src/quic.ts';

test('changed, cut, repeated and invented datagrams harm no live QUIC connection (seed 1)', async () => {
  const result = await fuzzQuic({ seed: 1, seconds: 10, inputs: 1500 });
  expect(result.failure).toBeUndefined();
  expect(result.roundTrips).toBeGreaterThan(0);
  expect(result.dials).toBeGreaterThan(0);
});
