import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls';
import { SecretKey } from '../src/secret-key.ts';
import { createCertificate } from '../src/shared/certificate.ts';
import { RecordReader } from '../src/tls/core/record-reader.ts';
import { RecordType, readU32 } from '../src/tls/core/records.ts';

/** Peers on bare `node:tls` that keep no rule of ours. */
export interface Identity {
  cert?: string;
  key?: string;
}

export function ed25519Identity(): Required<Identity> & { secretKey: SecretKey } {
  const secretKey = SecretKey.generate();
  return { secretKey, cert: createCertificate(secretKey), key: secretKey.exportPem() };
}

/** A self-signed certificate over a key that is no identity here. */
export function foreignIdentity(type: 'ec' | 'rsa'): Identity {
  const { privateKey, publicKey } =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const hex = (bytes: string) => Buffer.from(bytes, 'hex');
  const algorithm = hex(type === 'ec' ? '300a06082a8648ce3d040302' : '300d06092a864886f70d01010b0500');
  const name = der(0x30, der(0x31, der(0x30, hex('0603550403'), der(0x0c, Buffer.from(type)))));
  const dates = [der(0x17, Buffer.from('700101000000Z')), der(0x18, Buffer.from('99991231235959Z'))];
  const key = publicKey.export({ format: 'der', type: 'spki' });
  const body = der(0x30, hex('a003020102'), hex('020101'), algorithm, name, der(0x30, ...dates), name, key);
  const signature = der(0x03, Buffer.of(0), sign('sha256', body, privateKey));
  const base64 = der(0x30, body, algorithm, signature).toString('base64');
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

export interface Told {
  /** Of the peer's close record. */
  code?: number;
  reason?: string;
  /** Of the host, when the stream failed. */
  error?: string;
  /** Whether the peer said that it accepts us. */
  hello: boolean;
}

/** Reads a stream to its end: what the peer said about it. */
export async function toldOn(socket: TLSSocket): Promise<Told> {
  const reader = new RecordReader();
  const told: Told = { hello: false };
  socket.on('data', (bytes) => {
    reader.push(Uint8Array.from(bytes));
    for (let record = reader.next(); record; record = reader.next()) {
      if (record.type === RecordType.hello) told.hello = true;
      if (record.type !== RecordType.close) continue;
      told.code = readU32(record.payload, 4);
      told.reason = Buffer.from(record.payload.subarray(8)).toString();
    }
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    told.error = error.code ?? error.message;
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return told;
}

/** A client; its handshake may not be done. */
export function rawDial(address: string, options: ConnectionOptions): TLSSocket {
  const [host = '', port = ''] = address.split(':');
  return connect({ ...options, host, port: Number(port), rejectUnauthorized: false, servername: '' });
}

export interface RawServer {
  address: string;
  /** Every stream whose handshake was done. */
  sockets: TLSSocket[];
  close(): void;
}

/** A server that accepts whoever comes and then does what `serve` says. */
export async function rawServer(
  identity: Identity & { alpn?: string; maxVersion?: 'TLSv1.2' },
  serve: (socket: TLSSocket) => void,
): Promise<RawServer> {
  const { alpn, ...rest } = identity;
  const sockets: TLSSocket[] = [];
  const options = { ...rest, requestCert: true, rejectUnauthorized: false };
  const server = createServer(
    alpn === undefined ? options : { ...options, ALPNProtocols: [alpn] },
    (socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      serve(socket);
    },
  );
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    sockets,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}
