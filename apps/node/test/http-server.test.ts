import { once } from 'node:events';
import { connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type BoundHttp, bindHttp } from '../src/http/bind-http.ts';
import { createTestApp, FakeNode } from './fake-node.ts';

const ADDRESS = { value: { host: '127.0.0.1', port: 0 }, source: '--http' };

async function serve(): Promise<{ node: FakeNode; http: BoundHttp; stopping: AbortController }> {
  const node = new FakeNode();
  const http = await bindHttp(ADDRESS);
  onTestFinished(() => http.close(0));
  const stopping = new AbortController();
  http.serve(getRequestListener(createTestApp(node, { loopback: true, signal: stopping.signal }).fetch));
  return { node, http, stopping };
}

describe('the HTTP server', () => {
  it('says 503 while the node starts', async () => {
    const http = await bindHttp(ADDRESS);
    onTestFinished(() => http.close(0));
    const response = await fetch(`${http.url}/v1/status`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
  });

  it('passes raw bytes and keys with slashes through, whatever they are', async () => {
    const { http } = await serve();
    const value = Uint8Array.from({ length: 256 }, (_, index) => index);
    const url = `${http.url}/v1/kv/${encodeURIComponent('a/b%c')}`;
    expect((await fetch(url, { method: 'PUT', body: value })).status).toBe(200);
    expect(new Uint8Array(await (await fetch(url)).arrayBuffer())).toEqual(value);
  });

  it('refuses a body above the limit and serves the next request', async () => {
    const { http } = await serve();
    const url = `${http.url}/v1/kv/k`;
    expect((await fetch(url, { method: 'PUT', body: 'x'.repeat(500_000) })).status).toBe(413);
    expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(200);
  });

  it('lets go of an event stream whose reader went away', async () => {
    const { http, node } = await serve();
    const abort = new AbortController();
    const response = await fetch(`${http.url}/v1/events`, { signal: abort.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    await response.body?.getReader().read();
    expect(node.listeners.size).toBe(1);
    abort.abort();
    await vi.waitFor(() => expect(node.listeners.size).toBe(0), { timeout: 10_000 });
  });

  it('ends event streams when the node stops, and then closes without waiting for its grace', async () => {
    const { http, stopping } = await serve();
    const response = await fetch(`${http.url}/v1/events`);
    const reader = response.body?.getReader();
    await reader?.read();
    stopping.abort();
    expect((await reader?.read())?.done).toBe(true);
    await http.close(60_000);
  });

  it('closes although somebody holds a connection with half a request', async () => {
    const { http } = await serve();
    const socket = connect(Number(new URL(http.url).port), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write('GET /v1/status HTTP/1.1\r\nHost: local');
    const closed = once(socket, 'close');
    await http.close(10);
    await closed;
  });
});
