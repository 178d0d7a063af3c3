import { networkInterfaces } from 'node:os';
import { formatAddress } from './address.ts';

/** Where a socket bound to `host` can be reached: a wildcard stands for every interface's address and loopback. */
export function localAddresses(host: string, port: number): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [formatAddress(host, port)];
  const hosts: string[] = [];
  for (const address of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) {
    if (address.internal) continue;
    if (address.family === 'IPv4' || (host === '::' && !address.address.startsWith('fe80:')))
      hosts.push(address.address);
  }
  hosts.push('127.0.0.1');
  if (host === '::') hosts.push('::1');
  return hosts.map((each) => formatAddress(each, port));
}
