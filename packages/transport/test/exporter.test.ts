import { connect, createServer } from 'node:tls';
import { expect, it } from 'vitest';
import { exportFromSecret } from '../src/quic/exporter.ts';
import { SecretKey } from '../src/secret-key.ts';
import { createCertificate } from '../src/shared/certificate.ts';

for (const ciphers of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384']) {
  it(`exports what node:tls exports from the same secret with ${ciphers} (RFC 8446 §7.5)`, async () => {
    const key = SecretKey.generate();
    const server = createServer({
      key: key.exportPem(),
      cert: createCertificate(key),
      minVersion: 'TLSv1.3',
      ciphers,
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const client = connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ciphers,
      minVersion: 'TLSv1.3',
    });
    let secret: Uint8Array | undefined;
    client.on('keylog', (line: Buffer) => {
      const match = /^EXPORTER_SECRET [0-9a-f]+ ([0-9a-f]+)/.exec(line.toString());
      if (match?.[1]) secret = Buffer.from(match[1], 'hex');
    });
    await new Promise<void>((resolve) => client.once('secureConnect', resolve));
    for (const [label, context, length] of [
      ['EXPORTER-mosaik-bond', 'group', 32],
      ['EXPORTER-x', '', 100],
    ] as const) {
      const theirs = client.exportKeyingMaterial(length, label, Buffer.from(context));
      expect(
        Buffer.from(exportFromSecret(secret ?? Buffer.alloc(0), label, Buffer.from(context), length)),
      ).toEqual(theirs);
    }
    client.destroy();
    server.close();
  });
}
