import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import quiche from '@matrixai/quic/native/quiche.js';
import type { Config, Connection } from '@matrixai/quic/native/types.js';

/** A peer on the bare library that keeps no rule of ours: what a hostile one could do. */
export class RawPeer {
  readonly socket: Socket;
  readonly #config: Config;
  connection: Connection | undefined;
  #remote: { host: string; port: number } | undefined;
  #local = { host: '127.0.0.1', port: 0 };
  #timer: NodeJS.Timeout | undefined;
  #changed: (() => void)[] = [];
  /** Stops answering. */
  mute = false;

  private constructor(socket: Socket, config: Config) {
    this.socket = socket;
    this.#config = config;
    this.#local = { host: '127.0.0.1', port: socket.address().port };
    socket.on('message', (data, { address, port }) => {
      if (this.mute) return;
      if (!this.connection) {
        const { dcid } = quiche.Header.fromSlice(Uint8Array.from(data), 20);
        if (dcid.length === 0) return;
        this.#remote = { host: address, port };
        this.connection = quiche.Connection.accept(
          randomBytes(16),
          null,
          this.#local,
          this.#remote,
          this.#config,
        );
      }
      try {
        this.connection.recv(data, { from: { host: address, port }, to: this.#local });
      } catch {
        // Noted by the library.
      }
      this.pump();
    });
  }

  static async create(identity: RawIdentity, alpn: string): Promise<RawPeer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const key = identity.keyPem === undefined ? null : [Buffer.from(identity.keyPem)];
    const certificate = identity.certificatePem === undefined ? null : [Buffer.from(identity.certificatePem)];
    const config = quiche.Config.withBoringSslCtx(
      true,
      true,
      null,
      key,
      certificate,
      identity.sigalgs ?? null,
    );
    config.setApplicationProtos([alpn]);
    config.setMaxIdleTimeout(5000);
    config.setInitialMaxData(1e6);
    config.setInitialMaxStreamDataBidiLocal(1e5);
    config.setInitialMaxStreamDataBidiRemote(1e5);
    config.setInitialMaxStreamDataUni(1e5);
    config.setInitialMaxStreamsBidi(10);
    config.setInitialMaxStreamsUni(10);
    return new RawPeer(socket, config);
  }

  get address(): string {
    return `127.0.0.1:${this.#local.port}`;
  }

  dial(address: string): void {
    const [host = '', port = ''] = address.split(':');
    this.#remote = { host, port: Number(port) };
    this.connection = quiche.Connection.connect(
      null,
      randomBytes(16),
      this.#local,
      this.#remote,
      this.#config,
    );
    this.pump();
  }

  /** Everything the library wants to send now. */
  takeDatagrams(): Buffer[] {
    const datagrams: Buffer[] = [];
    const buffer = Buffer.alloc(65_536);
    for (let sent = this.connection?.send(buffer); sent; sent = this.connection?.send(buffer)) {
      datagrams.push(Buffer.from(buffer.subarray(0, sent[0])));
    }
    return datagrams;
  }

  pump(): void {
    const remote = this.#remote;
    if (!remote || this.mute) return;
    for (const datagram of this.takeDatagrams()) this.socket.send(datagram, remote.port, remote.host);
    clearTimeout(this.#timer);
    const timeoutMs = this.connection?.timeout();
    if (timeoutMs !== null && timeoutMs !== undefined) {
      this.#timer = setTimeout(() => {
        this.connection?.onTimeout();
        this.pump();
      }, timeoutMs + 1);
    }
    for (const listener of this.#changed.splice(0)) listener();
  }

  /** Resolves when `condition` holds, looked at after each datagram and timeout. */
  async until(condition: (connection: Connection) => boolean): Promise<Connection> {
    for (;;) {
      if (this.connection && condition(this.connection)) return this.connection;
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.socket.close();
  }
}

export interface RawIdentity {
  keyPem?: string;
  certificatePem?: string;
  sigalgs?: string;
}

/** A self-signed certificate over a P-256 key, which is no identity here. */
export function p256Identity(): RawIdentity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    keyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    certificatePem: p256Certificate(privateKey, publicKey),
  };
}

function p256Certificate(privateKey: KeyObject, publicKey: KeyObject): string {
  const hex = (bytes: string) => Buffer.from(bytes, 'hex');
  const ecdsaSha256 = hex('300a06082a8648ce3d040302');
  const name = der(0x30, der(0x31, der(0x30, hex('0603550403'), der(0x0c, Buffer.from('p256')))));
  const validity = der(
    0x30,
    der(0x17, Buffer.from('700101000000Z')),
    der(0x18, Buffer.from('99991231235959Z')),
  );
  const key = publicKey.export({ format: 'der', type: 'spki' });
  const body = der(0x30, hex('a003020102'), hex('020101'), ecdsaSha256, name, validity, name, key);
  const certificate = der(0x30, body, ecdsaSha256, der(0x03, Buffer.of(0), sign('sha256', body, privateKey)));
  return `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}
