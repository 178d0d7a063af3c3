import { expect, test } from 'vitest';
import { fuzzTls } from '../src/tls.ts';

test('invented and changed records end their own connection at most, and hold and answer no more than allowed (seed 1)', () => {
  const result = fuzzTls({ seed: 1, seconds: 20, inputs: 5000 });
  expect(result.failure).toBeUndefined();
  expect(result.inputs).toBeGreaterThan(0);
  // Deep enough: not every input fails at its first record.
  expect(result.survived).toBeGreaterThan(0);
});
