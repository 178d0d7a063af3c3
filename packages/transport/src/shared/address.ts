import { isIP, isIPv4 } from 'node:net';
import { TransportError } from '../errors.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Splits `"host:port"` or `"[::1]:port"`. @throws TransportError `address-invalid` naming what is wrong. */
export function parseAddress(address: string): HostPort {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (!host || !(port >= 1 && port <= 65_535) || (match?.[1] !== undefined && isIP(host) !== 6)) {
    throw new TransportError(
      'address-invalid',
      `expected "host:port" or "[ipv6]:port" with a port from 1 to 65535, got ${JSON.stringify(address.slice(0, 80))}`,
    );
  }
  return { host, port };
}

/** `"host:port"`, IPv6 in brackets. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether an IP address (not a name) is this machine's loopback. */
export function isLoopback(host: string): boolean {
  const plain = unmapped(host);
  return isIPv4(plain) ? plain.startsWith('127.') : plain === '::1';
}

/** `::ffff:a.b.c.d` as `a.b.c.d`; anything else as it is. */
export function unmapped(host: string): string {
  return host.startsWith('::ffff:') && isIPv4(host.slice(7)) ? host.slice(7) : host;
}
