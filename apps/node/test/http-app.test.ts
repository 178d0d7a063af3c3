import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ALICE, BOB, createTestApp, FakeNode, STATUS } from './fake-node.ts';

describe('the HTTP API', () => {
  it('gives the status with the state of the map', async () => {
    const app = createTestApp(new FakeNode());
    const response = await app.request('/v1/status');
    expect(await response.json()).toEqual({
      ...STATUS,
      state: { digest: 'd'.repeat(64), size: 0, applied: 100 },
    });
  });

  it('gives the status without a state when the group is closed', async () => {
    const node = new FakeNode();
    node.failure = 'terminated';
    const response = await createTestApp(node).request('/v1/status');
    expect([response.status, await response.json()]).toMatchObject([200, { state: null }]);
  });

  it('answers /v1/leader with 200 on the leader and 503 elsewhere', async () => {
    const node = new FakeNode();
    const app = createTestApp(node);
    const elsewhere = await app.request('/v1/leader');
    expect([elsewhere.status, await elsewhere.json()]).toEqual([503, { leader: BOB, term: 7 }]);
    node.change({ role: 'leader', leader: ALICE });
    const leader = await app.request('/v1/leader');
    expect([leader.status, await leader.json()]).toEqual([200, { leader: ALICE, term: 7 }]);
    node.change({ online: false });
    expect((await app.request('/v1/leader')).status).toBe(503);
    node.change({ role: 'candidate', leader: null });
    expect(await (await app.request('/v1/leader')).json()).toEqual({ leader: null, term: 7 });
  });

  it('is ready when online, and healthy unless its member stopped', async () => {
    const node = new FakeNode();
    const app = createTestApp(node);
    const probe = async () => [(await app.request('/healthz')).status, (await app.request('/readyz')).status];
    expect(await probe()).toEqual([200, 200]);
    node.change({ online: false });
    expect(await probe()).toEqual([200, 503]);
    node.change({ health: 'diverged' });
    expect(await probe()).toEqual([503, 503]);
  });

  it('gives peers and metrics', async () => {
    const app = createTestApp(new FakeNode());
    expect(await (await app.request('/v1/peers')).json()).toMatchObject({
      peers: [{ peerId: BOB, bonded: true }],
    });
    const metrics = await app.request('/metrics');
    expect([metrics.headers.get('content-type'), await metrics.text()]).toEqual([
      'text/plain; version=0.0.4',
      'mosaik_group_term 7\n',
    ]);
  });

  it('says what it does not have', async () => {
    const app = createTestApp(new FakeNode());
    expect((await app.request('/v1/nothing')).status).toBe(404);
    expect((await app.request('/v1/watch?from=1')).status).toBe(501);
    expect((await app.request('/v1/watch')).status).toBe(501);
  });

  it('serves a page that may run its own script and ask its own server only (CSP Level 3)', async () => {
    const response = await createTestApp(new FakeNode()).request('/');
    const html = await response.text();
    const script = /<script type="module">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    const hash = createHash('sha256').update(script).digest('base64');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`script-src 'sha256-${hash}'`);
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
  });
});

describe('on loopback, the HTTP API', () => {
  const app = createTestApp(new FakeNode(), { loopback: true });
  const ask = (host: string) => app.request('/v1/status', { headers: { host } });

  it.each(['localhost', 'LOCALHOST:7480', '127.0.0.1:7480', '[::1]:7480'])('answers to %s', async (host) => {
    expect((await ask(host)).status).toBe(200);
  });

  it.each(['evil.example', '127.0.0.1.evil.example:7480', 'localhost:x', '10.0.0.1', ''])(
    'refuses a page whose name was rebound to this machine: %j',
    async (host) => {
      expect((await ask(host)).status).toBe(403);
    },
  );
});

describe('a method that an endpoint does not have', () => {
  it.each([
    ['POST', '/v1/status', 'GET, HEAD'],
    ['PATCH', '/v1/kv/a/b.c', 'DELETE, GET, HEAD, PUT'],
    ['GET', '/v1/leader/transfer', 'POST'],
    ['PUT', `/v1/voters/${'ab'.repeat(32)}`, 'DELETE'],
  ])('is refused with those that it has: %s %s', async (method, path, allow) => {
    const response = await createTestApp(new FakeNode()).request(path, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    expect(await response.json()).toMatchObject({ error: 'method' });
  });

  it('is none at all where there is no endpoint', async () => {
    const response = await createTestApp(new FakeNode()).request('/v1/votersx', { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([404, null]);
  });
});

describe('with a token, the HTTP API', () => {
  const token = 'correct-horse-battery';
  const app = createTestApp(new FakeNode(), { token });
  const ask = (path: string, authorization?: string) =>
    app.request(path, authorization === undefined ? {} : { headers: { authorization } });

  it('answers who presents it', async () => {
    expect((await ask('/v1/status', `Bearer ${token}`)).status).toBe(200);
    expect((await ask('/v1/status', `bearer ${token}`)).status).toBe(200);
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer wrong',
    `Basic ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
  ])('refuses %j', async (authorization) => {
    for (const path of ['/v1/status', '/v1/kv/a', '/metrics', '/v1/events', '/v1/peers', '/none']) {
      const response = await ask(path, authorization);
      expect([path, response.status]).toEqual([path, 401]);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  it('leaves probes and the empty page open', async () => {
    for (const path of ['/', '/healthz', '/readyz'])
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
  });
});
