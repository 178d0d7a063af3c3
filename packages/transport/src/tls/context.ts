import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { SecretKey } from '../secret-key.ts';
import { createCertificate } from '../shared/certificate.ts';

/** TLS 1.3 only, with our identity; Ed25519 signatures only; no session is ever continued. */
export function contextOptions(secretKey: SecretKey): SecureContextOptions {
  return {
    key: secretKey.exportPem(),
    cert: createCertificate(secretKey),
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
    sigalgs: 'ed25519',
    // Authorities of the host are nobody here.
    ca: [],
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
