import type * as Crypto from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { SecretKey } from '../src/secret-key.ts';

/** How many of the next key imports fail with what an earlier connection left in OpenSSL's queue. */
const stale = vi.hoisted(() => ({ errors: 0 }));

// The runtime at hand may not leave errors in the queue (Node 20 does not, Node 24.21 did): this stands for one that does.
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof Crypto>();
  const createPrivateKey = (...args: Parameters<typeof Crypto.createPrivateKey>) => {
    if (stale.errors > 0) {
      stale.errors -= 1;
      throw Object.assign(new Error('error:0A000139:SSL routines::record layer failure'), {
        code: 'ERR_SSL_RECORD_LAYER_FAILURE',
      });
    }
    return crypto.createPrivateKey(...args);
  };
  return { ...crypto, createPrivateKey };
});

it('imports a key although the first attempt reports the error of a broken TLS connection', () => {
  const seed = new Uint8Array(32).fill(7);
  const expected = SecretKey.from(seed).id;
  stale.errors = 1;
  expect(SecretKey.from(seed).id).toBe(expected);
  expect(stale.errors).toBe(0);
});

it('throws what fails twice', () => {
  stale.errors = 2;
  expect(() => SecretKey.generate()).toThrow('record layer failure');
});
