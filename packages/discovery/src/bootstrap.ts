import { isId, type PeerId, parseId } from '@mosaik/wire';

/** Where to find a first peer, and who it has to be, if that is known. */
export interface BootstrapAddress {
  readonly peerId: PeerId | undefined;
  /** `"host:port"`, IPv6 as `"[::1]:7400"`. */
  readonly address: string;
}

const HOST = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?$/;
const IPV6 = /^\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]$/;

/**
 * Reads `"<peerId>@host:port"` or `"host:port"`.
 *
 * @throws TypeError with one line that names the value and what is wrong with it.
 * @example
 * ```ts
 * const { address } = parseBootstrap('192.0.2.7:7400');
 * ```
 */
export function parseBootstrap(text: string): BootstrapAddress {
  const refuse = (problem: string): never => {
    throw new TypeError(
      `bootstrap address ${JSON.stringify(String(text).slice(0, 200))}: ${problem}; ` +
        'expected "host:port" or "<peerId>@host:port"',
    );
  };
  if (typeof text !== 'string' || text.length === 0) return refuse('is empty');
  const at = text.indexOf('@');
  const name = at < 0 ? undefined : text.slice(0, at);
  if (name !== undefined && !isId(name)) return refuse('the peer id is not 64 hex digits');
  const address = text.slice(at + 1);
  const colon = address.lastIndexOf(':');
  if (colon < 0) return refuse('has no port');
  const host = address.slice(0, colon);
  const port = address.slice(colon + 1);
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    return refuse('the port is not a number from 1 to 65535');
  }
  if (host.length > 253 || !(host.startsWith('[') ? IPV6 : HOST).test(host)) {
    return refuse(
      host.includes(':') && !host.startsWith('[') ? 'IPv6 needs brackets' : 'the host is malformed',
    );
  }
  return { peerId: name === undefined ? undefined : parseId<PeerId>(name), address };
}
