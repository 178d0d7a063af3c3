import assert from 'node:assert/strict';
import type { Connection, Endpoint, ListenInit, Transport } from '../ports.ts';
import { SecretKey } from '../secret-key.ts';

export const ALPN = '/suite/1';

/** Two endpoints of one transport, and what most facts about connections start from. */
export interface Pair {
  readonly a: Endpoint;
  readonly b: Endpoint;
  readonly addressOfB: string;
  /** A connection that `a` dialled: its own end first. */
  connect(): Promise<[Connection, Connection]>;
}

/** Runs `body` over a fresh pair and closes both endpoints whatever happens. */
export async function withPair(
  transport: Transport,
  body: (pair: Pair) => Promise<void>,
  init: Partial<ListenInit> = {},
): Promise<void> {
  const listen = () =>
    transport.listen({ secretKey: SecretKey.generate(), host: '127.0.0.1', alpns: [ALPN], ...init });
  const a = await listen();
  const b = await listen();
  const addressOfB = b.addresses[0] ?? '';
  try {
    await body({
      a,
      b,
      addressOfB,
      connect: async () => Promise.all([a.connect(addressOfB, ALPN, { expect: b.id }), accept(b)]),
    });
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

/** The next inbound connection. */
export async function accept(endpoint: Endpoint, alpn = ALPN): Promise<Connection> {
  for await (const connection of endpoint.inbound(alpn)) return connection;
  throw new Error('the endpoint closed before it accepted');
}

/** What `promise` rejects with; fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as Record<string, unknown>;
  }
  assert.fail(`expected a rejection, got ${String(value)}`);
}

export function text(frame: Uint8Array | undefined): string | undefined {
  return frame && new TextDecoder().decode(frame);
}

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

/** `length` bytes that differ from their neighbours and between seeds. */
export function pattern(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

/** One turn of the host's loop, to let what is ready happen. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
