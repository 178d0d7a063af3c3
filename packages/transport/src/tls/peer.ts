import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { CloseCode, type PeerId } from '@mosaik/wire';
import { parsePeerCertificates } from '../shared/certificate.ts';

/** More certificates than this are not counted. */
const MAX_COUNTED_CERTIFICATES = 4;

/** Who is on the other side of a finished handshake, or why it is refused. */
export type Peer = { ok: true; peerId: PeerId; alpn: string } | { ok: false; code: number; reason: string };

export function parsePeer(socket: TLSSocket): Peer {
  // Neither is offered by us; a session of another time would bring no certificate.
  if (socket.getProtocol() !== 'TLSv1.3' || socket.isSessionReused())
    return refusal(CloseCode.ProtocolViolation, 'the handshake was not a full one of TLS 1.3');
  const peer = parsePeerCertificates(certificates(socket));
  if (!peer.ok) return refusal(CloseCode.ProtocolViolation, peer.reason);
  const { alpnProtocol } = socket;
  if (typeof alpnProtocol !== 'string' || alpnProtocol === '')
    return refusal(CloseCode.InvalidAlpn, 'the peer named no protocol');
  return { ok: true, peerId: peer.peerId, alpn: alpnProtocol };
}

/** The chain as the peer sent it: the issuer here is the next certificate, whoever issued it. */
function certificates(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
  while (certificate && chain.length < MAX_COUNTED_CERTIFICATES) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

function refusal(code: number, reason: string): Peer {
  return { ok: false, code, reason };
}
