import { CloseCode, describeCloseCode } from '@mosaik/wire';
import { TransportError } from '../errors.ts';
import type { CloseReason } from '../ports.ts';

/** Failures of a handshake that are about certificates, on either side (OpenSSL's reasons, by name). */
const CERTIFICATE_FAILURES =
  /^ERR_SSL_.*(CERTIFICATE|HANDSHAKE_FAILURE|SIGNATURE|SIGALG|UNKNOWN_CA|CERT_|BAD_ECPOINT)/;
const UNREACHABLE = new Set([
  'EACCES',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPERM',
]);

/** Whether nobody listens there: somebody may in a moment. */
export function isPortDead(error: unknown): boolean {
  return codeOf(error) === 'ECONNREFUSED';
}

/** What a dial whose handshake failed so rejects with. */
export function dialFailure(address: string, alpn: string, cause: unknown): TransportError {
  const code = codeOf(cause);
  const text = (cause as Error).message;
  if (code.endsWith('NO_APPLICATION_PROTOCOL'))
    return new TransportError('alpn', `${address} does not speak ${alpn}`, { cause });
  if (CERTIFICATE_FAILURES.test(code))
    return new TransportError('certificate', `${address}: the handshake failed over a certificate: ${text}`, {
      cause,
    });
  if (UNREACHABLE.has(code))
    return new TransportError('unavailable', `cannot reach ${address}: ${text}`, { cause });
  if (code === 'ETIMEDOUT')
    return new TransportError('timeout', `${address} did not answer in time: ${text}`, { cause });
  return new TransportError('refused', `${address} ended the handshake: ${text}`, {
    closeCode: CloseCode.UnexpectedClose,
    cause,
  });
}

/** What a dial that the peer closed before it accepted us rejects with. */
export function dialRefusal(address: string, end: CloseReason): TransportError {
  if (end.code === CloseCode.Timeout && !end.remote)
    return new TransportError('timeout', `${address} did not answer in time`);
  const text = `${address} refused the connection, ${describeCloseCode(end.code)}: ${end.reason}`;
  return new TransportError('refused', text, { closeCode: end.code });
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}
