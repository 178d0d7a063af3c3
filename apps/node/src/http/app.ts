import type { Clock, Logger } from '@mosaik/wire/runtime';
import { Hono } from 'hono';
import type { DashboardPage } from '../dashboard/page.ts';
import { allowedMethods } from './allowed-methods.ts';
import { groupErrorResponse } from './group-error-response.ts';
import { groupRoutes } from './group-routes.ts';
import { refuseOtherOrigins, requireLocalHost, requireToken } from './guard.ts';
import { kvRoutes } from './kv-routes.ts';
import type { NodeHandle } from './node-handle.ts';
import type { LeaderBody, NodeStatus } from './node-status.ts';
import { refuse } from './refuse.ts';
import { statusEvents } from './status-events.ts';

export interface HttpAppInit {
  readonly node: NodeHandle;
  readonly page: DashboardPage;
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
  /** Required of every request but those for probes and the page itself, which shows nothing by itself. */
  readonly token: string | undefined;
  /** Whether to answer only to names of this machine. */
  readonly loopback: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends event streams. */
  readonly signal: AbortSignal;
}

/** Event streams that may be open at the same time. */
const MAX_EVENT_STREAMS = 64;
const OPEN_PATHS: ReadonlySet<string> = new Set(['/', '/healthz', '/readyz']);

/** The HTTP API of one node. */
export function createHttpApp(init: HttpAppInit): Hono {
  const { node, page, metrics, token, clock, logger } = init;
  const app = new Hono();

  app.use(async (context, next) => {
    context.header('X-Content-Type-Options', 'nosniff');
    context.header('Referrer-Policy', 'no-referrer');
    context.header('Cache-Control', 'no-store');
    await next();
  });
  if (init.loopback) app.use(requireLocalHost());
  app.use(refuseOtherOrigins());
  if (token !== undefined) {
    const guard = requireToken(token);
    app.use((context, next) => (OPEN_PATHS.has(context.req.path) ? next() : guard(context, next)));
  }

  app.get('/', (context) => {
    context.header('Content-Security-Policy', page.contentSecurityPolicy);
    return context.html(page.html);
  });

  app.get('/v1/status', async (context) => {
    const state = await node.state().catch(() => null);
    return context.json({ ...node.status(), state } satisfies NodeStatus);
  });

  app.get('/v1/leader', (context) => {
    const { leader, term, role, online } = node.status();
    // A leader that lost its majority can not serve: nobody should be sent to it.
    return context.json({ leader, term } satisfies LeaderBody, role === 'leader' && online ? 200 : 503);
  });

  app.get('/v1/peers', (context) => context.json({ peers: node.peers() }));

  app.get('/healthz', (context) => {
    const { health, problem } = node.status();
    return context.json(
      { health, ...(problem === undefined ? {} : { problem }) },
      health === 'running' ? 200 : 503,
    );
  });

  app.get('/readyz', (context) => {
    const { online } = node.status();
    return context.json({ online }, online ? 200 : 503);
  });

  app.get('/metrics', async (context) => {
    return context.body(await metrics.metrics(), 200, { 'Content-Type': metrics.contentType });
  });

  let streams = 0;
  app.get('/v1/events', (context) => {
    if (streams >= MAX_EVENT_STREAMS) {
      context.header('Retry-After', '5');
      return refuse(context, 503, 'overloaded', `${MAX_EVENT_STREAMS} event streams are open already`);
    }
    streams += 1;
    const signal = AbortSignal.any([init.signal, context.req.raw.signal]);
    const events = statusEvents(node, clock, signal, () => {
      streams -= 1;
    });
    return context.body(events, 200, {
      'Content-Type': 'text/event-stream',
      // Proxies that collect answers before they pass them on would make a live page a dead one.
      'X-Accel-Buffering': 'no',
    });
  });

  app.route('/', kvRoutes(node));
  app.route('/', groupRoutes(node));

  app.all('/v1/watch', (context) => refuse(context, 501, 'not-implemented', '/v1/watch is not implemented'));
  app.notFound((context) => {
    const { method, path } = context.req;
    const allowed = allowedMethods(app, path);
    if (allowed.length === 0) return refuse(context, 404, 'no-such-endpoint', `${method} ${path}`);
    context.header('Allow', allowed.join(', '));
    return refuse(context, 405, 'method', `${path} has ${allowed.join(', ')}, not ${method}`);
  });
  app.onError((error, context) => {
    const known = groupErrorResponse(context, error);
    if (known) return known;
    // Nobody reads this any more: the client went away, and what was done for it was given up.
    if (context.req.raw.signal.aborted) return refuse(context, 408, 'gone', 'the client went away');
    logger.error({ error, path: context.req.path }, 'a request failed');
    return refuse(context, 500, 'internal', 'the node failed to answer; its log says why');
  });
  return app;
}
