import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { isLoopbackHost } from '../cli/parse-host-port.ts';
import { refuse } from './refuse.ts';

/**
 * Refuses requests whose `Host` is no name of this machine.
 *
 * A server on loopback is protected by being unreachable; a web page whose own name was made to resolve to 127.0.0.1
 * (DNS rebinding) would be let in by the browser, but can not hide the name it used.
 */
export function requireLocalHost(): MiddlewareHandler {
  return async (context, next) => {
    const host = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(context.req.header('host') ?? '');
    const name = (host?.[1] ?? host?.[2] ?? '').toLowerCase();
    if (!isLoopbackHost(name)) {
      return refuse(context, 403, 'host', 'this address answers to localhost, 127.0.0.1 and [::1] only');
    }
    return next();
  };
}

/**
 * Refuses whatever changes something and comes from a web page of another origin: a browser sends a plain POST for any
 * page, and only the answer is kept from it.
 */
export function refuseOtherOrigins(): MiddlewareHandler {
  return async (context, next) => {
    const origin = context.req.header('origin');
    const reads = context.req.method === 'GET' || context.req.method === 'HEAD';
    // A proxy that speaks TLS has another scheme, not another host.
    if (reads || origin === undefined || hostOf(origin) === hostOf(context.req.url)) return next();
    return refuse(context, 403, 'origin', 'pages of other origins may not change anything here');
  };
}

/** Requires `Authorization: Bearer <token>`. */
export function requireToken(token: string): MiddlewareHandler {
  const expected = digest(token);
  return async (context, next) => {
    const given = /^Bearer ([\x21-\x7e]+)$/i.exec(context.req.header('authorization') ?? '')?.[1] ?? '';
    if (!timingSafeEqual(digest(given), expected)) {
      context.header('WWW-Authenticate', 'Bearer');
      return refuse(context, 401, 'token', 'send the token as "Authorization: Bearer TOKEN"');
    }
    return next();
  };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}

/** Equal lengths whatever was given, so that comparing takes the same time. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
