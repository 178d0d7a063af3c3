import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** Every answer that is not what was asked for: a stable code for programs, a sentence for people. */
export function refuse(
  context: Context,
  status: ContentfulStatusCode,
  error: string,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): Response {
  return context.json({ error, message, ...details }, status);
}
