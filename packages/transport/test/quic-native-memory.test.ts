import quiche from '@matrixai/quic/native/quiche.js';
import type { Connection as NativeConnection } from '@matrixai/quic/native/types.js';
import { CloseCode } from '@mosaik/wire';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { quicTransport } from '../src/quic/index.ts';
import { nativeLedger } from '../src/quic/native-ledger.ts';
import { withPair } from '../src/testing/pair.ts';
import { RawPeer } from './raw-quic.ts';

// The binding never frees 128 bytes of an answer with an empty text: measured over 100 000 calls.
let answers: string[] = [];

// The binding's types leave it out.
const { prototype } = quiche.Connection as unknown as { prototype: NativeConnection };

beforeEach(() => {
  answers = [];
  for (const name of ['localError', 'peerError'] as const) {
    const ask = prototype[name];
    vi.spyOn(prototype, name).mockImplementation(function (this: NativeConnection) {
      const answer = ask.call(this);
      if (answer !== null) answers.push(name);
      return answer;
    });
  }
});

afterEach(() => {
  vi.restoreAllMocks();
});

it('asks the library why a connection ended once, and only the side that was told', () =>
  withPair(quicTransport, async ({ connect }) => {
    const [ours, theirs] = await connect();
    await ours.close(CloseCode.Cancelled);
    expect(await theirs.closed).toEqual({ code: CloseCode.Cancelled, reason: '', remote: true });
    // Both have drained: nothing is left to ask about.
    await vi.waitFor(() => expect(nativeLedger.live).toBe(0));
    expect(answers).toEqual(['peerError']);
  }));

it('never asks about a stranger whose handshake fails', () =>
  withPair(quicTransport, async ({ addressOfB }) => {
    const stranger = await RawPeer.create({}, '/another');
    try {
      stranger.dial(addressOfB);
      await stranger.until((connection) => connection.isDraining() || connection.isClosed());
      expect(answers).toEqual([]);
    } finally {
      await stranger.close();
    }
  }));
