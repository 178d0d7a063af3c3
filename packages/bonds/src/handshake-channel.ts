import type { HandshakeChannel } from '@mosaik/handshake';
import type { Connection, Link } from '@mosaik/transport';
import { type GroupId, idBytes } from '@mosaik/wire';

/** A connection and its control link as a handshake wants them: frames on the link, close codes on the connection. */
export function handshakeChannel(connection: Connection, control: Link): HandshakeChannel {
  return {
    send: (frame) => control.send(frame),
    receive: (options) => control.receive(options),
    close: (code, reason) => connection.close(code, reason),
  };
}

/** The secret that only the two ends of this connection share, for one group (RFC 8446 §7.5). */
export function sessionSecretOf(connection: Connection, groupId: GroupId): Uint8Array {
  return connection.exportKeyingMaterial('EXPORTER-mosaik-bond', idBytes(groupId), 32);
}
