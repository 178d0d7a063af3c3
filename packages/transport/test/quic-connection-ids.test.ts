import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { quicTransport } from '../src/quic/index.ts';
import { ALPN, accept, pattern, turn, withPair } from '../src/testing/pair.ts';
import { RawPeer } from './raw-quic.ts';
import { ed25519Identity } from './raw-tls.ts';

const ROUNDS = 200;

it('serves others while a peer makes it retire connection ids again and again (CVE-2024-1410, CVE-2025-7054)', () =>
  withPair(quicTransport, async ({ b, addressOfB, connect }) => {
    const { key: keyPem, cert: certificatePem } = ed25519Identity();
    const raw = await RawPeer.create({ keyPem, certificatePem, sigalgs: 'ed25519' }, ALPN);
    raw.dial(addressOfB);
    const inbound = accept(b);
    const native = await raw.until((connection) => connection.isEstablished());
    const hostile = await inbound;
    let retired = 0;
    for (let issued = 0; retired < ROUNDS && hostile.rttMs !== undefined; await turn()) {
      try {
        // A frame NEW_CONNECTION_ID whose "retire prior to" names all ids before it (RFC 9000 §19.15).
        native.newSourceCid(randomBytes(16), BigInt(issued + 1), true);
        issued += 1;
      } catch {
        // As many as the other side allows wait for their retirement.
      }
      raw.pump();
      while (native.retiredScidNext()) retired += 1;
    }
    // The library ends such a connection soon: a peer may hurt its own, and nothing else.
    expect(retired).toBeGreaterThan(0);

    const [ours, theirs] = await connect();
    await (await ours.openLink()).send(pattern(1000));
    expect(await (await theirs.acceptLink()).receive()).toEqual(pattern(1000));
    raw.close();
  }));
