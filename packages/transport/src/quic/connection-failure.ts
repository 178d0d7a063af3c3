import { CloseCode, describeCloseCode } from '@mosaik/wire';
import { TransportError } from '../errors.ts';
import type { CloseReason } from '../ports.ts';
import type { NativeConnection } from './native.ts';

/** RFC 9001 §4.8: a TLS alert as a transport error. */
const CRYPTO_ERROR = 0x100;
const NO_APPLICATION_PROTOCOL = CRYPTO_ERROR + 120;
/** Alerts about certificates: handshake_failure (no common signature scheme), bad_certificate … unknown_ca, certificate_required. */
const CERTIFICATE_ALERTS = new Set(
  [40, 42, 43, 44, 45, 46, 48, 51, 116].map((alert) => CRYPTO_ERROR + alert),
);

/** Why a connection is over, with QUIC's own code where that was the reason. */
export interface End extends CloseReason {
  transportCode?: number;
}

/** Why a native connection is over, in terms of the port. */
export function describeEnd(native: NativeConnection): End {
  if (native.isTimedOut())
    return { code: CloseCode.Timeout, reason: 'nothing heard for the idle timeout', remote: false };
  for (const remote of [true, false]) {
    const error = remote ? native.peerError() : native.localError();
    if (!error) continue;
    const text = Buffer.from(error.reason).toString();
    if (error.isApp) return { code: error.errorCode, reason: text, remote };
    const reason = `transport error ${error.errorCode}${text === '' ? '' : `: ${text}`}`;
    return { code: CloseCode.UnexpectedClose, reason, remote, transportCode: error.errorCode };
  }
  return { code: CloseCode.UnexpectedClose, reason: 'the connection ended without a reason', remote: false };
}

/** What a dial that ended so rejects with. */
export function dialError(address: string, alpn: string, end: End): TransportError {
  const { transportCode } = end;
  if (transportCode === NO_APPLICATION_PROTOCOL)
    return new TransportError('alpn', `${address} does not speak ${alpn}`);
  if (transportCode !== undefined && CERTIFICATE_ALERTS.has(transportCode)) {
    const who = end.remote
      ? `${address} refused our certificate`
      : `the certificate of ${address} was refused`;
    return new TransportError('certificate', `${who} (${end.reason})`);
  }
  if (end.code === CloseCode.Timeout && !end.remote) {
    return new TransportError('timeout', `${address} did not answer in time`);
  }
  const text = `${address} refused the connection, ${describeCloseCode(end.code)}: ${end.reason}`;
  return new TransportError('refused', text, { closeCode: end.code });
}
