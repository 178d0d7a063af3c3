// The handshake alone, over a plain node:tls socket: two nodes in one process prove to each other that they know a
// group key. Run after a build: node examples/over-tls.mjs
import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { acceptHandshake, deriveGroupId, GroupKey, initiateHandshake } from '@mosaik/handshake';
import { idBytes, idFromBytes, UniqueId } from '@mosaik/wire';

/** @import { GroupId, PeerId, NetworkId } from '@mosaik/wire' */
/** @import { HandshakeChannel } from '@mosaik/handshake' */
/** @typedef {{ id: PeerId, key: string, cert: string }} Identity */

/**
 * An Ed25519 key, its public half as the peer's id, and a self-signed certificate over it (X.509, RFC 5280, RFC 8410).
 * @returns {Identity}
 */
export function createIdentity() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const der = (/** @type {number} */ tag, /** @type {Uint8Array[]} */ ...parts) => {
    const body = Buffer.concat(parts);
    const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255];
    return Buffer.concat([Buffer.from([tag, ...length]), body]);
  };
  const algorithm = Buffer.from('300506032b6570', 'hex');
  const name = der(
    0x30,
    der(0x31, der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from('mosaik')))),
  );
  const validity = der(
    0x30,
    der(0x17, Buffer.from('250101000000Z')),
    der(0x17, Buffer.from('490101000000Z')),
  );
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const version = Buffer.from('a003020102', 'hex');
  const tbs = der(0x30, version, Buffer.from('020101', 'hex'), algorithm, name, validity, name, spki);
  const signature = der(0x03, Buffer.from([0]), sign(null, tbs, privateKey));
  const certificate = der(0x30, tbs, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return {
    id: idFromBytes(spki.subarray(-32)),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----\n`,
  };
}

/**
 * Certificates are self-signed, so no authority is asked: who the peer is follows from its key. TLS 1.3 only, and no
 * resumption, so that every connection has a session secret of its own.
 * @param {Identity} identity
 * @returns {tls.CommonConnectionOptions & tls.SecureContextOptions}
 */
export function tlsOptions({ key, cert }) {
  return {
    key,
    cert,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['example'],
  };
}

/**
 * Whom TLS has authenticated: the peer proved that it has this certificate's private key.
 * @param {tls.TLSSocket} socket
 * @returns {PeerId}
 */
export function remoteIdOf(socket) {
  const raw = socket.getPeerCertificate().raw;
  if (!raw || socket.isSessionReused()) throw new Error('no certificate');
  const { publicKey } = new X509Certificate(raw);
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new Error('not an Ed25519 certificate');
  return idFromBytes(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
}

/**
 * RFC 8446 §7.5: equal at both ends of this connection, and on no other.
 * @param {tls.TLSSocket} socket
 * @param {GroupId} groupId
 */
export function sessionSecretOf(socket, groupId) {
  return socket.exportKeyingMaterial(32, 'EXPORTER-mosaik-bond', Buffer.from(idBytes(groupId)));
}

/**
 * Frames over a socket: a kind (0 data, 1 close), a length, that many bytes. Reads no frame above 64 KiB.
 * @param {tls.TLSSocket} socket
 * @returns {HandshakeChannel}
 */
export function channelOver(socket) {
  const chunks = socket.iterator({ destroyOnReturn: false });
  let buffered = Buffer.alloc(0);
  const write = (/** @type {number} */ kind, /** @type {Uint8Array} */ body) => {
    const header = Buffer.alloc(5);
    header.writeUInt8(kind, 0);
    header.writeUInt32BE(body.length, 1);
    return /** @type {Promise<void>} */ (
      new Promise((resolve, reject) =>
        socket.write(Buffer.concat([header, body]), (error) => (error ? reject(error) : resolve())),
      )
    );
  };
  const take = async (/** @type {number} */ length) => {
    while (buffered.length < length) {
      const { value, done } = await chunks.next();
      if (done) return undefined;
      buffered = Buffer.concat([buffered, value]);
    }
    const bytes = buffered.subarray(0, length);
    buffered = buffered.subarray(length);
    return bytes;
  };
  return {
    send: (frame) => write(0, frame),
    async receive() {
      const header = await take(5);
      if (!header) return undefined;
      if (header.readUInt32BE(1) > 65_536) throw new Error('frame too large');
      const body = await take(header.readUInt32BE(1));
      if (!body || header.readUInt8(0) === 0) return body;
      const closeCode = body.readUInt32BE(0);
      throw Object.assign(new Error(body.subarray(4).toString()), { closeCode });
    },
    async close(code, reason) {
      const body = Buffer.alloc(4);
      body.writeUInt32BE(code);
      await write(1, Buffer.concat([body, Buffer.from(reason)]));
      socket.end();
    },
  };
}

export async function main(print = console.log) {
  const networkId = /** @type {NetworkId} */ (UniqueId.from('example'));
  const groupKey = GroupKey.generate();
  const groupId = deriveGroupId({
    key: groupKey,
    consensusDigest: new Uint8Array(32),
    machineSignature: UniqueId.from('none'),
    stateSyncSignature: UniqueId.from('none'),
  });
  const alice = createIdentity();
  const bob = createIdentity();

  const server = tls.createServer(tlsOptions(bob)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const dialled = tls.connect({ ...tlsOptions(alice), port, host: '127.0.0.1' });
  const [[accepted]] = await Promise.all([once(server, 'secureConnection'), once(dialled, 'secureConnect')]);

  const [initiatorSays, acceptorSays] = await Promise.all([
    initiateHandshake(channelOver(dialled), {
      networkId,
      groupId,
      groupKey,
      sessionSecret: sessionSecretOf(dialled, groupId),
      localId: alice.id,
      remoteId: remoteIdOf(dialled),
    }),
    acceptHandshake(channelOver(accepted), {
      networkId,
      groups: (id) => (id === groupId ? groupKey : undefined),
      sessionSecret: (id) => sessionSecretOf(accepted, id),
      localId: bob.id,
      remoteId: remoteIdOf(accepted),
    }),
  ]);
  print(
    `alice ${alice.id.slice(0, 8)} and bob ${bob.id.slice(0, 8)} both know the key of ${groupId.slice(0, 8)}`,
  );
  dialled.destroy();
  accepted.destroy();
  server.close();
  return { initiatorSays, acceptorSays, groupId };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
