import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { bindFailure } from '../shared/bind-failure.ts';

/** The host grants what it is allowed to; small buffers lose datagrams in bursts. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** @throws TransportError `address-in-use`, `address-invalid`, `bind-failed`. */
export async function openUdpSocket(host: string, port: number): Promise<Socket> {
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
  return socket;
}
