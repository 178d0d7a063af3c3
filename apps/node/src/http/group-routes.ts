import { type PeerId, parseId } from '@mosaik/wire';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import type { NodeHandle } from './node-handle.ts';
import type { LeaderBody } from './node-status.ts';
import { refuse } from './refuse.ts';

const peerId = z.string().transform((text, context): PeerId => {
  try {
    return parseId<PeerId>(text);
  } catch {
    context.addIssue('expected a peer id of 64 hex digits');
    return z.NEVER;
  }
});
const TransferBody = z.strictObject({ to: peerId.optional() });
const VoterBody = z.strictObject({ peer: peerId });
const MAX_BODY_BYTES = 1024;

/** Who leads and who counts: `/v1/leader/transfer` and `/v1/voters`. */
export function groupRoutes(node: NodeHandle): Hono {
  const routes = new Hono();
  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: (context) => refuse(context, 413, 'too-large', `a body has at most ${MAX_BODY_BYTES} bytes`),
  });

  routes.post('/v1/leader/transfer', limit, async (context) => {
    const body = await parseBody(context, TransferBody);
    if (body instanceof Response) return body;
    await node.transferLeadership(body.to, context.req.raw.signal);
    const { leader, term } = node.status();
    return context.json({ leader, term } satisfies LeaderBody);
  });

  routes.get('/v1/voters', (context) => context.json(node.voters()));

  routes.post('/v1/voters', limit, async (context) => {
    const body = await parseBody(context, VoterBody);
    if (body instanceof Response) return body;
    return change(context, () => node.addVoter(body.peer, context.req.raw.signal));
  });

  routes.delete('/v1/voters/:peer', async (context) => {
    const peer = peerId.safeParse(context.req.param('peer'));
    if (!peer.success) return refuse(context, 400, 'peer', 'expected a peer id of 64 hex digits');
    return change(context, () => node.removeVoter(peer.data, context.req.raw.signal));
  });

  async function change(context: Context, run: () => Promise<void>): Promise<Response> {
    if (node.voters().mode === 'dynamic')
      return refuse(context, 409, 'dynamic', 'the set of this group follows its bonds');
    await run();
    return context.json(node.voters());
  }

  return routes;
}

/** JSON, or nothing at all for a body whose fields are all optional. */
async function parseBody<T>(context: Context, schema: z.ZodType<T>): Promise<T | Response> {
  const text = await context.req.text();
  let value: unknown;
  try {
    value = text === '' ? {} : JSON.parse(text);
  } catch {
    return refuse(context, 400, 'body', 'expected JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  return refuse(context, 400, 'body', `${where}${issue?.message ?? 'malformed'}`);
}
