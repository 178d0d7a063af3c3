import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import type { NodeHandle, WriteAnswer } from './node-handle.ts';
import { refuse } from './refuse.ts';

const MAX_KEY_BYTES = 1024;
const indexText = z
  .string()
  .regex(/^\d+$/, 'expected a whole number')
  .transform(Number)
  .refine(Number.isSafeInteger, 'is too large');

const ReadQuery = z.strictObject({
  consistency: z.enum(['weak', 'strong']).default('strong'),
  minIndex: indexText.optional(),
});
const WriteQuery = z.strictObject({ cas: indexText.optional() });

/** Visible ASCII, as HTTP hands header fields on unharmed. */
const IdempotencyKey = z.string().regex(/^[\x21-\x7e]{1,256}$/, 'expected 1 to 256 visible ASCII characters');

/** Parameters that the API will have, and that must not be taken for granted meanwhile. */
const NOT_YET = { ttlMs: 'expiry of keys', watch: 'watching keys' } as const;

/** `GET | PUT | DELETE /v1/kv/{key}`: raw bytes in and out. `X-Index` is always what `cas` takes next. */
export function kvRoutes(node: NodeHandle): Hono {
  const routes = new Hono();
  const path = '/v1/kv/*';

  routes.use(path, async (context, next) => {
    for (const [name, what] of Object.entries(NOT_YET)) {
      if (context.req.query(name) !== undefined) {
        return refuse(context, 501, 'not-implemented', `${name}: ${what} is not implemented`);
      }
    }
    return next();
  });

  routes.get(path, async (context) => {
    const key = parseKey(context);
    if (key instanceof Response) return key;
    const query = parseQuery(context, ReadQuery);
    if (query instanceof Response) return query;
    const { entry } = await node.read(key, { ...query, signal: context.req.raw.signal });
    describePosition(context, node, entry?.index ?? 0);
    if (!entry) return refuse(context, 404, 'not-found', 'there is no such key');
    // Somebody else wrote these bytes: they must not run as a page of this origin.
    return context.body(Uint8Array.from(entry.value), 200, {
      'Content-Type': 'application/octet-stream',
      'Content-Security-Policy': "default-src 'none'; sandbox",
    });
  });

  const limit = bodyLimit({
    maxSize: node.maxValueBytes,
    onError: (context) =>
      refuse(context, 413, 'too-large', `a value has at most ${node.maxValueBytes} bytes`),
  });
  routes.put(path, limit, async (context) => {
    const key = parseKey(context);
    if (key instanceof Response) return key;
    const query = parseQuery(context, WriteQuery);
    if (query instanceof Response) return query;
    const idempotencyKey = parseIdempotencyKey(context);
    if (idempotencyKey instanceof Response) return idempotencyKey;
    const value = new Uint8Array(await context.req.arrayBuffer());
    return describeWrite(context, node, await node.put(key, value, { expected: query.cas, idempotencyKey }));
  });

  routes.delete(path, async (context) => {
    const key = parseKey(context);
    if (key instanceof Response) return key;
    const query = parseQuery(context, WriteQuery);
    if (query instanceof Response) return query;
    const idempotencyKey = parseIdempotencyKey(context);
    if (idempotencyKey instanceof Response) return idempotencyKey;
    return describeWrite(context, node, await node.delete(key, { expected: query.cas, idempotencyKey }));
  });

  return routes;
}

/** Everything after `/v1/kv/`, percent-decoded: a key may contain slashes. */
function parseKey(context: Context): string | Response {
  let key: string;
  try {
    key = decodeURIComponent(new URL(context.req.url).pathname.slice('/v1/kv/'.length));
  } catch {
    return refuse(context, 400, 'key', 'the key is not percent-encoded UTF-8');
  }
  const length = Buffer.byteLength(key);
  if (length >= 1 && length <= MAX_KEY_BYTES) return key;
  return refuse(context, 400, 'key', `a key has 1 to ${MAX_KEY_BYTES} bytes of UTF-8, got ${length}`);
}

function parseQuery<T>(context: Context, schema: z.ZodType<T>): T | Response {
  // Of two values one would be dropped, and a write would go by a condition that its client did not mean.
  const twice = Object.entries(context.req.queries()).find(([, values]) => values.length > 1);
  if (twice) return refuse(context, 400, 'query', `${twice[0]}: given more than once`);
  const parsed = schema.safeParse(context.req.query());
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  return refuse(context, 400, 'query', `${where}${issue?.message ?? 'malformed'}`);
}

/** What the client calls this request: the same one under it is done once, another one is refused. */
function parseIdempotencyKey(context: Context): string | undefined | Response {
  const parsed = IdempotencyKey.optional().safeParse(context.req.header('idempotency-key'));
  if (parsed.success) return parsed.data;
  return refuse(context, 400, 'idempotency-key', `Idempotency-Key: ${parsed.error.issues[0]?.message}`);
}

function describePosition(context: Context, node: NodeHandle, position: number): void {
  const { term, leader } = node.status();
  context.header('X-Index', String(position));
  context.header('X-Term', String(term));
  if (leader !== null) context.header('X-Leader', leader);
}

function describeWrite(context: Context, node: NodeHandle, answer: WriteAnswer): Response {
  describePosition(context, node, answer.index);
  if (answer.type === 'done') return context.json({ index: answer.index });
  const message = answer.index === 0 ? 'there is no such key' : `the key was last written at ${answer.index}`;
  return refuse(context, 409, 'conflict', message, { index: answer.index });
}
