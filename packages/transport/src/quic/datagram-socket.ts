import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { bindFailure } from '../shared/bind-failure.ts';

/** The host grants what it is allowed to; small buffers lose datagrams in bursts. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** Larger than any datagram that is ever sent. */
const SEND_BUFFER_BYTES = 65_536;
/** Datagrams that the host did not take yet: beyond this, further ones are lost, as on a network. */
const MAX_QUEUED_BYTES = 8 * 1024 * 1024;

export interface DatagramSocketInit {
  host: string;
  port: number;
  onDatagram: (datagram: Buffer, source: RemoteInfo) => void;
  onError: (error: Error) => void;
  /** The host refused a datagram. */
  onRefused: (error: NodeJS.ErrnoException, host: string, port: number) => void;
}

/** One bound UDP socket. */
export class DatagramSocket {
  readonly family: 4 | 6;
  readonly #socket: Socket;
  readonly #onSent: (error: Error | null) => void;
  #buffer = Buffer.allocUnsafeSlow(SEND_BUFFER_BYTES);
  /** As of the last send. */
  #queuedBytes = 0;
  #closed = false;

  private constructor(socket: Socket, family: 4 | 6, onRefused: DatagramSocketInit['onRefused']) {
    this.#socket = socket;
    this.#onSent = (error) => {
      if (!error) return;
      const { address = '', port = 0 } = error as { address?: string; port?: number };
      onRefused(error, address, port);
    };
    this.family = family;
  }

  /** @throws TransportError `address-in-use`, `address-invalid`, `bind-failed`. */
  static async bind(init: DatagramSocketInit): Promise<DatagramSocket> {
    const { host, port } = init;
    const family = isIPv6(host) ? 6 : 4;
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      // Only addresses are ever sent to: the default lookup would cost a turn of the loop for each datagram.
      lookup: (hostname, _options, callback) => callback(null, hostname, family),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (cause) => reject(bindFailure(host, port, cause)));
      try {
        socket.bind({ address: host, port, exclusive: true }, resolve);
      } catch (cause) {
        reject(bindFailure(host, port, cause));
      }
    });
    socket.removeAllListeners('error');
    socket.on('error', init.onError);
    for (const grow of [
      () => socket.setRecvBufferSize(SOCKET_BUFFER_BYTES),
      () => socket.setSendBufferSize(SOCKET_BUFFER_BYTES),
    ]) {
      try {
        grow();
      } catch {
        // Smaller buffers cost speed only.
      }
    }
    socket.on('message', init.onDatagram);
    return new DatagramSocket(socket, family, init.onRefused);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Where the next datagram is written; `send` takes it from here. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** Sends the first `length` bytes of `buffer`. */
  send(length: number, host: string, port: number): void {
    if (this.#closed) return;
    this.#socket.send(this.#buffer, 0, length, port, host, this.#onSent);
    this.#queuedBytes = this.#socket.getSendQueueSize();
    // What the host took at once is copied; otherwise the buffer belongs to the socket until it is sent.
    if (this.#queuedBytes > 0) this.#buffer = Buffer.allocUnsafeSlow(SEND_BUFFER_BYTES);
  }

  /** Whether so much waits for the host that sending more is pointless now. */
  get congested(): boolean {
    return this.#queuedBytes > MAX_QUEUED_BYTES && this.#socket.getSendQueueSize() > MAX_QUEUED_BYTES;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}
