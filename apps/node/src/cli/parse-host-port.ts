import { isIP, isIPv4 } from 'node:net';
import { UsageError } from './usage-error.ts';

export interface HostPort {
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** Reads `"host:port"` or `"[ipv6]:port"`; port 0 means any free one unless `minPort` forbids it. @throws UsageError */
export function parseHostPort(text: string, source: string, { minPort = 0 } = {}): HostPort {
  const refuse = (problem: string) => UsageError.for(source, text, problem);
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text);
  if (!match) {
    if (isIP(text) === 6) throw refuse('has no port (IPv6 is written as "[::1]:7400")');
    throw refuse('expected host:port');
  }
  const [, bracketed, plain, portText = ''] = match;
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port < minPort || port > 65_535) {
    throw refuse(`the port is not a number from ${minPort} to 65535`);
  }
  if (bracketed !== undefined && isIP(bracketed) !== 6)
    throw refuse('what is in brackets is not an IPv6 address');
  const host = bracketed ?? plain ?? '';
  if (host === '') throw refuse('the host is missing');
  // A name made of digits and dots is a mistyped address.
  const mistyped = /^[\d.]+$/.test(host) && !isIPv4(host);
  if (bracketed === undefined && (mistyped || !NAME.test(host))) throw refuse('the host is malformed');
  return { host, port };
}

/** `"host:port"`, IPv6 in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach a server that is bound to `host`. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
