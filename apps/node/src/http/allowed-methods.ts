import type { Hono } from 'hono';

/** The methods that a path has, as `Allow` lists them (RFC 9110 §10.2.1); empty for a path that is none. */
export function allowedMethods(app: Hono, path: string): string[] {
  const methods = new Set<string>();
  for (const route of app.routes) {
    // Middleware is for all methods, and no endpoint.
    if (route.method === 'ALL' || !patternOf(route.path).test(path)) continue;
    methods.add(route.method);
    if (route.method === 'GET') methods.add('HEAD');
  }
  return [...methods].sort();
}

/** Of a route as this API has them: literal parts, `:name` for one of them, and `*` at the end for the rest. */
function patternOf(route: string): RegExp {
  const parts = route
    .split('/')
    .map((part) => (part === '*' ? '.*' : part.startsWith(':') ? '[^/]+' : escapeText(part)));
  return new RegExp(`^${parts.join('/')}$`);
}

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
