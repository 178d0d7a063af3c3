import { createHash, createHmac } from 'node:crypto';

/**
 * The TLS 1.3 exporter (RFC 8446 §7.5) over a connection's exporter_secret. The length of the secret tells the hash
 * of the cipher suite: 32 bytes SHA-256, 48 SHA-384.
 */
export function exportFromSecret(
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const hash = secret.length === 48 ? 'sha384' : 'sha256';
  const digest = (data: Uint8Array) => createHash(hash).update(data).digest();
  const derived = expandLabel(hash, secret, label, digest(new Uint8Array(0)), secret.length);
  return Uint8Array.from(expandLabel(hash, derived, 'exporter', digest(context), length));
}

/** HKDF-Expand-Label (RFC 8446 §7.1). */
function expandLabel(
  hash: string,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([
    Uint8Array.of(length >>> 8, length, name.length),
    name,
    Uint8Array.of(context.length),
    context,
  ]);
  const blocks: Buffer[] = [];
  let last: Uint8Array = new Uint8Array(0);
  for (let i = 1; blocks.length * last.length < length; i += 1) {
    last = createHmac(hash, secret).update(last).update(info).update(Uint8Array.of(i)).digest();
    blocks.push(last as Buffer);
  }
  return Buffer.concat(blocks).subarray(0, length);
}
