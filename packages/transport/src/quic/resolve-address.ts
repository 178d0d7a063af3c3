import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { TransportError } from '../errors.ts';
import type { HostPort } from '../shared/address.ts';

/**
 * Where datagrams for an address go to, in the family of the socket that sends them.
 *
 * @throws TransportError `unavailable` for a name without an address, `address-invalid` for IPv6 from an IPv4 socket.
 */
export async function resolveAddress(target: HostPort, family: 4 | 6): Promise<HostPort> {
  let { host } = target;
  if (isIP(host) === 0) {
    try {
      host = (await lookup(host, family === 4 ? { family } : {})).address;
    } catch (cause) {
      throw new TransportError('unavailable', `cannot resolve ${host}`, { cause });
    }
  }
  if (host === '0.0.0.0') host = '127.0.0.1';
  if (host === '::') host = '::1';
  if (isIP(host) === 6 && family === 4) {
    throw new TransportError('address-invalid', `${host} is IPv6, the endpoint is bound to IPv4`);
  }
  return { host: isIP(host) === 4 && family === 6 ? `::ffff:${host}` : host, port: target.port };
}
