import type { HostPort } from '../shared/address.ts';
import type { DatagramSocket } from './datagram-socket.ts';
import type { NativeConnection } from './native.ts';

/** What leaves through the endpoint's socket: nothing before it is bound. */
export class Sender {
  #socket: DatagramSocket | undefined;

  handleBound(socket: DatagramSocket): void {
    this.#socket = socket;
  }

  /** Sends the connection's next datagram; a copy of it goes to `copies`. False when there is none now. */
  sendNext(native: NativeConnection, to: HostPort, copies?: Buffer[]): boolean {
    const socket = this.#socket;
    if (!socket || socket.congested) return false;
    const sent = native.send(socket.buffer);
    if (!sent) return false;
    const [length] = sent;
    copies?.push(Buffer.from(socket.buffer.subarray(0, length)));
    socket.send(length, to.host, to.port);
    return true;
  }

  sendAgain(datagram: Buffer, to: HostPort): void {
    if (!this.#socket) return;
    datagram.copy(this.#socket.buffer);
    this.#socket.send(datagram.length, to.host, to.port);
  }

  /** Sends what `write` puts into the buffer, for a stranger. */
  reply(to: HostPort, write: (out: Buffer) => number): void {
    const socket = this.#socket;
    if (!socket || socket.congested) return;
    try {
      socket.send(write(socket.buffer), to.host, to.port);
    } catch {
      // The datagram's ids were not what the library takes.
    }
  }
}
