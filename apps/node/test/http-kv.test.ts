import type { GroupErrorCode } from '@mosaik/groups';
import { describe, expect, it } from 'vitest';
import { BOB, createTestApp, FakeNode } from './fake-node.ts';

function setup() {
  const node = new FakeNode();
  const app = createTestApp(node);
  const ask = (method: string, path: string, init: RequestInit = {}) =>
    app.request(`http://localhost/v1/kv/${path}`, { method, ...init });
  return { node, ask };
}

describe('/v1/kv/{key}', () => {
  it('takes and gives raw bytes, and says at which index', async () => {
    const { ask } = setup();
    const value = Uint8Array.from([0, 255, 10, 13]);
    const put = await ask('PUT', 'color', { body: value });
    expect([put.status, await put.json()]).toEqual([200, { index: 101 }]);
    expect(put.headers.get('x-index')).toBe('101');
    const get = await ask('GET', 'color');
    expect(get.status).toBe(200);
    expect(new Uint8Array(await get.arrayBuffer())).toEqual(value);
    expect(Object.fromEntries(get.headers)).toMatchObject({
      'x-index': '101',
      'x-term': '7',
      'x-leader': BOB,
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
    const gone = await ask('DELETE', 'color');
    expect([gone.status, await gone.json()]).toEqual([200, { index: 102 }]);
    const absent = await ask('GET', 'color');
    expect([absent.status, absent.headers.get('x-index')]).toEqual([404, '0']);
  });

  it('takes an empty value', async () => {
    const { ask } = setup();
    expect((await ask('PUT', 'empty')).status).toBe(200);
    const get = await ask('GET', 'empty');
    expect([get.status, await get.text()]).toEqual([200, '']);
  });

  it('decodes keys: slashes, percent signs, any UTF-8', async () => {
    const { ask } = setup();
    await ask('PUT', encodeURIComponent('a/b c%ü'), { body: 'x' });
    expect((await ask('GET', 'a/b%20c%25%C3%BC')).status).toBe(200);
  });

  it.each(['', '%ff', 'x'.repeat(1025)])('refuses the key %j', async (key) => {
    const { ask } = setup();
    const response = await ask('PUT', key, { body: 'x' });
    expect([response.status, await response.json()]).toMatchObject([400, { error: 'key' }]);
  });

  it('reads strongly unless told otherwise', async () => {
    const { ask, node } = setup();
    await ask('GET', 'k');
    expect(node.lastRead).toMatchObject({ consistency: 'strong' });
    await ask('GET', 'k?consistency=weak&minIndex=5');
    expect(node.lastRead).toMatchObject({ consistency: 'weak', minIndex: 5 });
  });

  it('writes only under the condition of ?cas, whose loss is 409 with the present index', async () => {
    const { ask } = setup();
    expect((await ask('PUT', 'k?cas=0', { body: '1' })).status).toBe(200);
    const lost = await ask('PUT', 'k?cas=0', { body: '2' });
    expect([lost.status, await lost.json()]).toMatchObject([409, { error: 'conflict', index: 101 }]);
    expect(lost.headers.get('x-index')).toBe('101');
    expect((await ask('PUT', 'k?cas=101', { body: '2' })).status).toBe(200);
    expect((await ask('DELETE', 'k?cas=101')).status).toBe(409);
    expect(await (await ask('GET', 'k')).text()).toBe('2');
  });

  it.each([
    ['GET', 'k?consistency=eventual'],
    ['GET', 'k?minIndex=-1'],
    ['GET', 'k?minIndex=1e3'],
    ['GET', 'k?cas=1'],
    ['GET', 'k?minIndex=1&minIndex=2'],
    ['PUT', 'k?cas=0&cas=5'],
    ['PUT', 'k?cas=x'],
    ['PUT', 'k?cas=9007199254740993'],
    ['PUT', 'k?consistency=weak'],
    ['DELETE', 'k?unknown=1'],
  ])('refuses parameters that it does not understand: %s %s', async (method, path) => {
    const { ask } = setup();
    const response = await ask(method, path);
    expect([response.status, await response.json()]).toMatchObject([400, { error: 'query' }]);
  });

  it.each([
    ['k?ttlMs=5', {}],
    ['k?watch=true', {}],
  ])('says 501 to what is not there yet instead of ignoring it: %s %o', async (path, headers) => {
    const { ask, node } = setup();
    const response = await ask('PUT', path, { body: 'x', headers });
    expect([response.status, await response.json()]).toMatchObject([501, { error: 'not-implemented' }]);
    expect((await node.read('k', { consistency: 'weak' })).entry).toBeUndefined();
  });

  it.each(['PUT', 'DELETE'])('hands on what the client calls its request: %s', async (method) => {
    const { ask, node } = setup();
    expect((await ask(method, 'k', { headers: { 'Idempotency-Key': 'req-1' } })).status).toBe(200);
    expect(node.lastWrite).toMatchObject({ idempotencyKey: 'req-1' });
  });

  it.each([
    ['empty', ''],
    ['too long', 'x'.repeat(257)],
    ['with a space', 'a b'],
    ['given twice', 'a, b'],
    ['not ASCII', 'é'],
  ])('refuses an Idempotency-Key that is %s', async (_, key) => {
    const { ask, node } = setup();
    const response = await ask('PUT', 'k', { body: 'x', headers: { 'Idempotency-Key': key } });
    expect([response.status, await response.json()]).toMatchObject([400, { error: 'idempotency-key' }]);
    expect(node.lastWrite).toBeUndefined();
  });

  it('says 413 to a value above the limit, announced or not', async () => {
    const { ask } = setup();
    expect((await ask('PUT', 'k', { body: 'x'.repeat(1000) })).status).toBe(200);
    const announced = await ask('PUT', 'k', {
      body: 'x'.repeat(1001),
      headers: { 'content-length': '1001' },
    });
    expect([announced.status, await announced.json()]).toMatchObject([413, { error: 'too-large' }]);
    const stream = new Blob(['x'.repeat(1001)]).stream();
    const streamed = await ask('PUT', 'k', { body: stream, duplex: 'half' } as RequestInit);
    expect(streamed.status).toBe(413);
  });

  it.each<[GroupErrorCode, number]>([
    ['offline', 503],
    ['no-quorum', 503],
    ['overloaded', 503],
    ['terminated', 503],
    ['unknown-outcome', 504],
    ['timeout', 504],
    ['too-large', 413],
    ['key-reused', 422],
    ['apply-failed', 500],
  ])('says of a call that failed with %s: %i', async (code, status) => {
    const { ask, node } = setup();
    node.failure = code;
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const response = await ask(method, 'k');
      expect([response.status, await response.json()]).toMatchObject([status, { error: code }]);
      expect(response.headers.get('retry-after')).toBe(status === 503 ? '1' : null);
    }
  });

  it('says that a write of unknown outcome may still be committed', async () => {
    const { ask, node } = setup();
    node.failure = 'unknown-outcome';
    const body = (await (await ask('PUT', 'k', { body: 'x' })).json()) as { message: string };
    expect(body.message).toContain('may still be committed');
  });
});
