import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import quiche from '@matrixai/quic/native/quiche.js';
import type { Config, Connection } from '@matrixai/quic/native/types.js';
import { SecretKey } from '@mosaik/transport';
import { createCertificate } from '@mosaik/transport/testing';

const ALPN = '/bench/bare/1';
const STREAM = 0;
const TIMER_MS = 5;

/**
 * The QUIC library in the barest loop that there is: one socket, one connection, one stream; no routing, frames, checks
 * or closing. What it takes is what any endpoint over this library takes.
 */
export class BareQuic {
  readonly #socket: Socket;
  readonly #config = createConfig();
  readonly #local: { host: string; port: number };
  readonly #onBytes: (bytes: Uint8Array) => void;
  readonly #out = Buffer.allocUnsafeSlow(2048);
  readonly #room = new Uint8Array(2048);
  readonly #timer: NodeJS.Timeout;
  #connection: Connection | undefined;
  #remote: { host: string; port: number } | undefined;
  #onEstablished: (() => void) | undefined;

  private constructor(socket: Socket, onBytes: (bytes: Uint8Array) => void) {
    this.#socket = socket;
    this.#onBytes = onBytes;
    this.#local = { host: '127.0.0.1', port: socket.address().port };
    socket.on('message', (data, source) => this.#handleDatagram(data, source));
    this.#timer = setInterval(() => this.#handleTimer(), TIMER_MS);
  }

  /** `onBytes`: what arrived on the stream; the bytes are only there for the call. */
  static async bind(onBytes: (bytes: Uint8Array, bare: BareQuic) => void): Promise<BareQuic> {
    const socket = createSocket({
      type: 'udp4',
      lookup: (host, _options, callback) => callback(null, host, 4),
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const bare: BareQuic = new BareQuic(socket, (bytes) => onBytes(bytes, bare));
    return bare;
  }

  get port(): number {
    return this.#local.port;
  }

  connect(port: number): Promise<void> {
    this.#remote = { host: '127.0.0.1', port };
    this.#connection = quiche.Connection.connect(
      null,
      randomBytes(8),
      this.#local,
      this.#remote,
      this.#config,
    );
    this.#flush();
    return new Promise((resolve) => {
      this.#onEstablished = resolve;
    });
  }

  send(bytes: Uint8Array): void {
    this.#connection?.streamSend(STREAM, bytes, false);
    this.#flush();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #handleDatagram(data: Buffer, { address, port }: RemoteInfo): void {
    this.#remote ??= { host: address, port };
    this.#connection ??= quiche.Connection.accept(
      randomBytes(8),
      null,
      this.#local,
      this.#remote,
      this.#config,
    );
    const connection = this.#connection;
    connection.recv(data, { from: this.#remote, to: this.#local });
    if (this.#onEstablished && connection.isEstablished()) {
      this.#onEstablished();
      this.#onEstablished = undefined;
    }
    if (connection.isReadable()) {
      const read = connection.streamRecv(STREAM, this.#room);
      if (read) this.#onBytes(this.#room.subarray(0, read[0]));
    }
    // The acknowledgement goes along with what is sent in answer.
    queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    if (!this.#connection || !this.#remote) return;
    for (let sent = this.#connection.send(this.#out); sent; sent = this.#connection.send(this.#out))
      this.#socket.send(this.#out, 0, sent[0], this.#remote.port, this.#remote.host);
  };

  #handleTimer(): void {
    if (this.#connection?.timeout() !== 0) return;
    this.#connection.onTimeout();
    this.#flush();
  }
}

function createConfig(): Config {
  const secretKey = SecretKey.generate();
  const config = quiche.Config.withBoringSslCtx(
    false,
    false,
    null,
    [Buffer.from(secretKey.exportPem())],
    [Buffer.from(createCertificate(secretKey))],
    'ed25519',
  );
  config.setApplicationProtos([ALPN]);
  config.setMaxIdleTimeout(60_000);
  config.setInitialMaxData(2 ** 20);
  config.setInitialMaxStreamDataBidiLocal(2 ** 20);
  config.setInitialMaxStreamDataBidiRemote(2 ** 20);
  config.setInitialMaxStreamsBidi(1);
  config.enablePacing(false);
  return config;
}
