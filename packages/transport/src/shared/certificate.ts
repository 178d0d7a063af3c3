import { X509Certificate } from 'node:crypto';
import { idBytes, idFromBytes, type PeerId } from '@mosaik/wire';
import type { SecretKey } from '../secret-key.ts';

/** 1.3.101.112, Ed25519 (RFC 8410 §3). */
const ED25519 = sequence(Uint8Array.of(0x06, 0x03, 0x2b, 0x65, 0x70));
const COMMON_NAME = Uint8Array.of(0x06, 0x03, 0x55, 0x04, 0x03);

/**
 * A self-signed X.509 certificate (RFC 5280) over an identity, PEM. It never expires (§4.1.2.5): it says nothing but
 * the key, and the key is the name.
 */
export function createCertificate(secretKey: SecretKey): string {
  const name = sequence(tlv(0x31, sequence(COMMON_NAME, tlv(0x0c, Buffer.from(secretKey.id)))));
  const validity = sequence(
    tlv(0x17, Buffer.from('700101000000Z')),
    tlv(0x18, Buffer.from('99991231235959Z')),
  );
  const key = sequence(ED25519, tlv(0x03, Uint8Array.of(0), idBytes(secretKey.id)));
  const version3 = tlv(0xa0, tlv(0x02, Uint8Array.of(2)));
  const serial = tlv(0x02, Uint8Array.of(1));
  const body = sequence(version3, serial, ED25519, name, validity, name, key);
  const certificate = sequence(body, ED25519, tlv(0x03, Uint8Array.of(0), secretKey.sign(body)));
  const base64 = Buffer.from(certificate).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

/**
 * The identity in a peer's certificate chain; TLS proved possession of its key. The signature on the certificate is
 * not looked at: it proves nothing more.
 *
 * @returns what is wrong with the chain otherwise.
 */
export function parsePeerCertificates(
  chain: readonly Uint8Array[] | null,
): { ok: true; peerId: PeerId } | { ok: false; reason: string } {
  const [der] = chain ?? [];
  if (!der) return { ok: false, reason: 'the peer sent no certificate' };
  if (chain?.length !== 1)
    return { ok: false, reason: `the peer sent ${chain?.length} certificates, expected one` };
  try {
    const key = new X509Certificate(der).publicKey;
    if (key.asymmetricKeyType !== 'ed25519') {
      return { ok: false, reason: `the peer's certificate holds a key of type ${key.asymmetricKeyType}` };
    }
    const { x = '' } = key.export({ format: 'jwk' });
    return { ok: true, peerId: idFromBytes<PeerId>(Buffer.from(x, 'base64url')) };
  } catch {
    return { ok: false, reason: "the peer's certificate is malformed" };
  }
}

function sequence(...parts: Uint8Array[]): Uint8Array {
  return tlv(0x30, ...parts);
}

/** One DER element; lengths below 65536. */
function tlv(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...size), content]);
}
