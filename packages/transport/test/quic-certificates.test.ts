import { X509Certificate } from 'node:crypto';
import { CloseCode } from '@mosaik/wire';
import { afterEach, expect, it } from 'vitest';
import type { Connection, Endpoint } from '../src/ports.ts';
import { quicTransport } from '../src/quic/index.ts';
import { SecretKey } from '../src/secret-key.ts';
import { createCertificate } from '../src/shared/certificate.ts';
import { p256Identity, type RawIdentity, RawPeer } from './raw-quic.ts';

const ALPN = '/raw/1';
const CERTIFICATE_REQUIRED = 0x100 + 116;
const cleanup: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const undo of cleanup.splice(0)) await undo();
});

async function listen(): Promise<{ endpoint: Endpoint; accepted: Connection[]; address: string }> {
  const endpoint = await quicTransport.listen({
    secretKey: SecretKey.generate(),
    host: '127.0.0.1',
    alpns: [ALPN],
  });
  cleanup.push(() => endpoint.close());
  const accepted: Connection[] = [];
  void (async () => {
    for await (const connection of endpoint.inbound(ALPN)) accepted.push(connection);
  })();
  return { endpoint, accepted, address: endpoint.addresses[0] ?? '' };
}

async function raw(identity: RawIdentity): Promise<RawPeer> {
  const peer = await RawPeer.create(identity, ALPN);
  cleanup.push(() => peer.close());
  return peer;
}

function identity(): Required<RawIdentity> & { secretKey: SecretKey } {
  const secretKey = SecretKey.generate();
  const certificatePem = createCertificate(secretKey);
  return { secretKey, keyPem: secretKey.exportPem(), certificatePem, sigalgs: 'ed25519' };
}

it('makes certificates that are well-formed, self-signed and hold the identity', () => {
  const secretKey = SecretKey.generate();
  const certificate = new X509Certificate(createCertificate(secretKey));
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.subject).toBe(`CN=${secretKey.id}`);
  expect(certificate.publicKey.export({ format: 'jwk' }).crv).toBe('Ed25519');
});

it('accepts a peer with one Ed25519 certificate, the positive control', async () => {
  const { accepted, address } = await listen();
  const own = identity();
  const peer = await raw(own);
  peer.dial(address);
  await peer.until((connection) => connection.streamReadable(3));
  expect(accepted.map((connection) => connection.remoteId)).toEqual([own.secretKey.id]);
});

it('refuses a peer without a certificate before anything else (RFC 8446 §4.4.2.4)', async () => {
  const { accepted, address } = await listen();
  const peer = await raw({ sigalgs: 'ed25519' });
  peer.dial(address);
  const connection = await peer.until((each) => each.peerError() !== null);
  expect(connection.peerError()).toMatchObject({ isApp: false, errorCode: CERTIFICATE_REQUIRED });
  expect(accepted).toEqual([]);
});

it('refuses a peer with two certificates with 400', async () => {
  const { accepted, address } = await listen();
  const own = identity();
  const peer = await raw({ ...own, certificatePem: own.certificatePem + identity().certificatePem });
  peer.dial(address);
  const connection = await peer.until((each) => each.peerError() !== null);
  expect(connection.peerError()).toMatchObject({ isApp: true, errorCode: CloseCode.ProtocolViolation });
  expect(accepted).toEqual([]);
});

it("refuses a peer that shows another peer's certificate", async () => {
  const { accepted, address } = await listen();
  const peer = await raw({ ...identity(), certificatePem: identity().certificatePem });
  peer.dial(address);
  // The library does not send a certificate that its key does not fit.
  const connection = await peer.until((each) => each.peerError() !== null || each.isClosed());
  expect(connection.peerError()).toMatchObject({ isApp: false, errorCode: CERTIFICATE_REQUIRED });
  expect(accepted).toEqual([]);
});

it('refuses a peer whose certificate holds no Ed25519 key', async () => {
  const { accepted, address } = await listen();
  const peer = await raw(p256Identity());
  peer.dial(address);
  const connection = await peer.until((each) => each.peerError() !== null || each.localError() !== null);
  expect((connection.peerError() ?? connection.localError())?.isApp).toBe(false);
  expect(accepted).toEqual([]);
});

it('refuses to dial a peer with two certificates and tells it 400', async () => {
  const { endpoint } = await listen();
  const own = identity();
  const peer = await raw({ ...own, certificatePem: own.certificatePem + identity().certificatePem });
  await expect(endpoint.connect(peer.address, ALPN)).rejects.toMatchObject({ code: 'certificate' });
  const connection = await peer.until((each) => each.peerError() !== null);
  expect(connection.peerError()).toMatchObject({ isApp: true, errorCode: CloseCode.ProtocolViolation });
});

it('refuses to dial a peer whose certificate holds no Ed25519 key', async () => {
  const { endpoint } = await listen();
  const peer = await raw(p256Identity());
  await expect(endpoint.connect(peer.address, ALPN)).rejects.toMatchObject({ code: 'certificate' });
});

it('does not resolve a dial before the peer has accepted our certificate', async () => {
  const { endpoint } = await listen();
  const peer = await raw(identity());
  const controller = new AbortController();
  let outcome = 'pending';
  const dial = endpoint.connect(peer.address, ALPN, { signal: controller.signal }).then(
    () => (outcome = 'resolved'),
    () => (outcome = 'rejected'),
  );
  // Proven on both sides, and the peer talks; it only never says that it accepts us.
  const connection = await peer.until((each) => each.isEstablished());
  connection.streamSend(1, Uint8Array.of(0, 0, 0, 1, 7), false);
  peer.pump();
  const heard = connection.stats().recv;
  await peer.until((each) => each.stats().recv > heard);
  expect(outcome).toBe('pending');
  controller.abort();
  await dial;
  expect(outcome).toBe('rejected');
});
