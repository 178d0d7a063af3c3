import type { NodeStatus } from '../http/node-status.ts';
import { SseParser } from './sse-parser.ts';
import type { View } from './view.ts';

/** Silence for so long means that the connection is gone: the server says something every two seconds. */
const SILENCE_MS = 7_000;
const RETRY_MS = 1_000;

/**
 * Keeps the view at the node's latest status, for ever.
 *
 * `fetch` instead of `EventSource`, which can not send a token: it is taken from the address, as `/#token=…`, where it
 * never reaches a server's log.
 */
export async function followStatus(view: View): Promise<never> {
  for (;;) {
    try {
      await readEvents(view);
    } catch {
      // Whatever it was, the page says that the connection is lost and tries again.
    }
    if (view.connection.value !== 'refused') view.connection.value = 'lost';
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function readEvents(view: View): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  const abort = new AbortController();
  let watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
  try {
    const response = await fetch('/v1/events', {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: abort.signal,
    });
    if (response.status === 401) view.connection.value = 'refused';
    if (!response.ok || !response.body) return;
    const parser = new SseParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
      view.connection.value = 'live';
      for (const event of parser.push(decoder.decode(value, { stream: true }))) {
        if (event.type === 'status') view.status.value = JSON.parse(event.data) as NodeStatus;
      }
    }
  } finally {
    clearTimeout(watchdog);
    abort.abort();
  }
}
