import { CloseCode, type PeerId } from '@mosaik/wire';
import { TransportError } from '../errors.ts';
import { parsePeerCertificates } from '../shared/certificate.ts';
import type { Keylog } from './keylog.ts';
import type { NativeConnection } from './native.ts';

export interface ProvenPeer {
  readonly ok: true;
  readonly peerId: PeerId;
  readonly alpn: string;
  readonly exporterSecret: Uint8Array;
}

export type Identified =
  | ProvenPeer
  | {
      readonly ok: false;
      /** What the peer is told. */
      readonly code: number;
      readonly reason: string;
      /** What whoever dialled is told. */
      readonly error: TransportError;
    };

export interface IdentifyOptions {
  /** For error texts. */
  remoteAddress: string;
  expect?: PeerId | undefined;
}

/** Who an established connection leads to, and whether we want that. Takes the exporter secret, which ends the key log. */
export function identifyPeer(
  native: NativeConnection,
  keylog: Keylog,
  { remoteAddress, expect }: IdentifyOptions,
): Identified {
  const peer = parsePeerCertificates(native.peerCertChain());
  const exporterSecret = keylog.takeExporterSecret();
  if (!peer.ok) {
    const error = new TransportError('certificate', `${remoteAddress}: ${peer.reason}`);
    return { ok: false, code: CloseCode.ProtocolViolation, reason: peer.reason, error };
  }
  if (!exporterSecret) {
    const reason = 'the exporter secret of the connection could not be read';
    return {
      ok: false,
      code: CloseCode.UnexpectedClose,
      reason,
      error: new TransportError('unavailable', reason),
    };
  }
  if (expect !== undefined && expect !== peer.peerId) {
    const error = new TransportError(
      'peer-mismatch',
      `${remoteAddress} is ${peer.peerId}, expected ${expect}`,
      { closeCode: CloseCode.UnknownPeer },
    );
    return { ok: false, code: CloseCode.UnknownPeer, reason: 'another peer was expected', error };
  }
  const alpn = Buffer.from(native.applicationProto()).toString();
  return { ok: true, peerId: peer.peerId, alpn, exporterSecret };
}
