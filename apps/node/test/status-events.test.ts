import { VirtualClock } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { type SseEvent, SseParser } from '../src/dashboard/sse-parser.ts';
import { statusEvents } from '../src/http/status-events.ts';
import { createTestApp, FakeNode } from './fake-node.ts';

function open() {
  const node = new FakeNode();
  const clock = new VirtualClock();
  const abort = new AbortController();
  let ends = 0;
  const stream = statusEvents(node, clock, abort.signal, () => {
    ends += 1;
  });
  const reader = stream.getReader();
  const read = async () => {
    const { done, value } = await reader.read();
    return done ? undefined : Buffer.from(value).toString();
  };
  const term = (text: string | undefined) =>
    (JSON.parse(new SseParser().push(text ?? '')[0]?.data ?? '{}') as { term?: number }).term;
  return { node, clock, abort, reader, read, term, ends: () => ends };
}

describe('status events', () => {
  it('begin with the status as it is', async () => {
    const { read, node } = open();
    expect(await read()).toBe(`event: status\ndata: ${JSON.stringify(node.status())}\n\n`);
  });

  it('coalesce: what changed while nobody read is one event', async () => {
    const { read, node, clock, term } = open();
    await read();
    await clock.advance(1000);
    for (let next = 8; next <= 50; next += 1) node.change({ term: next });
    expect(term(await read())).toBe(50);
    const pending = read();
    await clock.advance(2000);
    expect(await pending).toMatch(/^:/);
  });

  it('come at most every 100 ms however fast things change', async () => {
    const { read, node, clock, term } = open();
    await read();
    const pending = read();
    node.change({ term: 8 });
    let arrived = false;
    void pending.then(() => {
      arrived = true;
    });
    await clock.advance(99);
    expect(arrived).toBe(false);
    node.change({ term: 9 });
    await clock.advance(1);
    expect(term(await pending)).toBe(9);
  });

  it('give a comment as heartbeat when nothing changed but the clock', async () => {
    const { read, node, clock } = open();
    await read();
    node.current = { ...node.current, uptimeMs: 99_999 };
    const pending = read();
    await clock.advance(2000);
    expect(await pending).toBe(': nothing new\n\n');
  });

  it('end with their signal, in whatever they were waiting for, and let go of the node', async () => {
    const { read, node, abort, ends } = open();
    await read();
    const pending = read();
    abort.abort();
    expect(await pending).toBeUndefined();
    expect([node.listeners.size, ends()]).toEqual([0, 1]);
  });

  it('let go of the node when their reader does', async () => {
    const { read, reader, node, ends } = open();
    await read();
    await reader.cancel();
    expect([node.listeners.size, ends()]).toEqual([0, 1]);
  });

  it('are given to 64 readers at once, and again when one leaves', async () => {
    const app = createTestApp(new FakeNode());
    const readers = await Promise.all(Array.from({ length: 64 }, () => app.request('/v1/events')));
    expect(readers.every(({ status }) => status === 200)).toBe(true);
    expect((await app.request('/v1/events')).status).toBe(503);
    await readers[0]?.body?.cancel();
    expect((await app.request('/v1/events')).status).toBe(200);
  });
});

describe('the parser of the page', () => {
  it('finds the same events wherever the text is cut', () => {
    const text = ': hello\n\nevent: status\ndata: {"a":1}\n\ndata: x\ndata: y\n\n';
    const expected: SseEvent[] = [
      { type: 'status', data: '{"a":1}' },
      { type: 'message', data: 'x\ny' },
    ];
    for (let cut = 0; cut <= text.length; cut += 1) {
      const parser = new SseParser();
      expect([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]).toEqual(expected);
    }
  });
});
