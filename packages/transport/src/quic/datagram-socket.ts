import type { RemoteInfo, Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock, Logger, Timer } from '@mosaik/wire/runtime';
import { openUdpSocket } from './open-udp-socket.ts';

/** Larger than any datagram that is ever sent. */
const SEND_BUFFER_BYTES = 65_536;
/** Datagrams that the host did not take yet: beyond this, further ones are lost, as on a network. */
const MAX_QUEUED_BYTES = 8 * 1024 * 1024;
/** Between attempts to bind again: doubled each time, from the start again once a socket held for so long. */
const FIRST_REBIND_MS = 50;
const LAST_REBIND_MS = 5000;
const STABLE_MS = 10_000;
/** These speak of the socket, not of the way to a peer: it will never send again. */
const BROKEN = new Set(['EBADF', 'ENOTSOCK', 'ENOTCONN', 'EPIPE', 'ERR_SOCKET_DGRAM_NOT_RUNNING']);
/** An answer to an earlier datagram that some hosts report as if the socket had failed. */
const OF_A_PEER = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENETRESET', 'EMSGSIZE']);

export interface DatagramSocketInit {
  host: string;
  /** 0: any. One that was found is kept for as long as the socket lives. */
  port: number;
  clock: Clock;
  logger: Logger;
  onDatagram: (datagram: Buffer, source: RemoteInfo) => void;
  /** The host refused a datagram. */
  onRefused: (error: NodeJS.ErrnoException, host: string, port: number) => void;
  /** The host had invalidated the socket; there is one again. What was sent meanwhile is lost. */
  onRebound: () => void;
}

/** One bound UDP port: when the host invalidates its socket, another one is bound in its place. */
export class DatagramSocket {
  readonly family: 4 | 6;
  readonly port: number;
  readonly #init: DatagramSocketInit;
  #socket: Socket | undefined;
  #onSent: (error: Error | null) => void = () => {};
  #buffer = Buffer.allocUnsafeSlow(SEND_BUFFER_BYTES);
  /** As of the last send. */
  #queuedBytes = 0;
  #boundAtMs = 0;
  #rebindAfterMs = FIRST_REBIND_MS;
  #rebindTimer: Timer | undefined;
  #closed = false;

  private constructor(init: DatagramSocketInit, socket: Socket) {
    this.#init = init;
    this.family = isIPv6(init.host) ? 6 : 4;
    this.port = socket.address().port;
    this.#adopt(socket);
  }

  /** @throws TransportError `address-in-use`, `address-invalid`, `bind-failed`. */
  static async bind(init: DatagramSocketInit): Promise<DatagramSocket> {
    return new DatagramSocket(init, await openUdpSocket(init.host, init.port));
  }

  /** False while the host has taken the socket away. */
  get bound(): boolean {
    return this.#socket !== undefined;
  }

  /** Where the next datagram is written; `send` takes it from here. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** Sends the first `length` bytes of `buffer`. */
  send(length: number, host: string, port: number): void {
    const socket = this.#socket;
    if (!socket) return;
    try {
      socket.send(this.#buffer, 0, length, port, host, this.#onSent);
      this.#queuedBytes = socket.getSendQueueSize();
    } catch (error) {
      if (!this.#isBroken(error)) throw error;
      this.#handleLost(socket, error);
      return;
    }
    // What the host took at once is copied; otherwise the buffer belongs to the socket until it is sent.
    if (this.#queuedBytes > 0) this.#buffer = Buffer.allocUnsafeSlow(SEND_BUFFER_BYTES);
  }

  /** Whether so much waits for the host that sending more is pointless now. */
  get congested(): boolean {
    if (this.#queuedBytes <= MAX_QUEUED_BYTES) return false;
    this.#queuedBytes = this.#socket?.getSendQueueSize() ?? 0;
    return this.#queuedBytes > MAX_QUEUED_BYTES;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#rebindTimer?.cancel();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) await closeSocket(socket);
  }

  #adopt(socket: Socket): void {
    const { clock, logger, onDatagram, onRefused } = this.#init;
    this.#socket = socket;
    this.#boundAtMs = clock.nowMs();
    this.#queuedBytes = 0;
    this.#onSent = (error) => {
      if (!error) return;
      const { address = '', port = 0 } = error as { address?: string; port?: number };
      if (this.#isBroken(error)) this.#handleLost(socket, error);
      else onRefused(error, address, port);
    };
    socket.on('message', onDatagram);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      logger.warn({ error: error.message }, 'UDP socket error');
      if (!OF_A_PEER.has(error.code ?? '')) this.#handleLost(socket, error);
    });
    socket.on('close', () => this.#handleLost(socket, new Error('the host closed it')));
  }

  #isBroken(error: unknown): boolean {
    return BROKEN.has(String((error as NodeJS.ErrnoException).code));
  }

  #handleLost(socket: Socket, cause: unknown): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#init.logger.warn({ port: this.port, error: String(cause) }, 'the host took the UDP socket away');
    void closeSocket(socket);
    if (this.#init.clock.nowMs() - this.#boundAtMs >= STABLE_MS) this.#rebindAfterMs = FIRST_REBIND_MS;
    this.#rebindLater();
  }

  #rebindLater(): void {
    const delayMs = this.#rebindAfterMs;
    this.#rebindAfterMs = Math.min(2 * delayMs, LAST_REBIND_MS);
    this.#rebindTimer = this.#init.clock.schedule(delayMs, () => void this.#rebind());
  }

  async #rebind(): Promise<void> {
    const { host, logger, onRebound } = this.#init;
    try {
      const socket = await openUdpSocket(host, this.port);
      if (this.#closed) {
        await closeSocket(socket);
        return;
      }
      this.#adopt(socket);
    } catch (error) {
      logger.warn({ port: this.port, error: String(error) }, 'the UDP port could not be bound again');
      if (!this.#closed) this.#rebindLater();
      return;
    }
    onRebound();
  }
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    // What it says from now on concerns nobody.
    socket.removeAllListeners('message');
    socket.on('error', () => {});
    try {
      socket.close(() => resolve());
    } catch {
      resolve();
    }
  });
}
