import { TransportError } from '../errors.ts';

/** What an endpoint that cannot have its address rejects with. */
export function bindFailure(host: string, port: number, cause: unknown): TransportError {
  const code = String((cause as NodeJS.ErrnoException).code);
  const where = `${host} port ${port}`;
  if (code === 'EADDRINUSE') return new TransportError('address-in-use', `${where} is in use`, { cause });
  if (['EADDRNOTAVAIL', 'ENOTFOUND', 'EINVAL', 'ERR_SOCKET_BAD_PORT'].includes(code))
    return new TransportError('address-invalid', `${where} is no address of this machine`, { cause });
  return new TransportError('bind-failed', `cannot bind ${where}: ${(cause as Error).message}`, { cause });
}
