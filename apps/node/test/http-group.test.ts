import { describe, expect, it } from 'vitest';
import { ALICE, BOB, CAROL, createTestApp, FakeNode } from './fake-node.ts';

const post = (body: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const voters = { mode: 'voters', have: 3, need: 2 } as const;

describe('POST /v1/leader/transfer', () => {
  it('hands leadership over, to whoever is named, and tells who leads', async () => {
    const app = createTestApp(new FakeNode());
    const any = await app.request('/v1/leader/transfer', { method: 'POST' });
    expect([any.status, await any.json()]).toEqual([200, { leader: BOB, term: 8 }]);
    const named = await app.request('/v1/leader/transfer', post({ to: CAROL }));
    expect([named.status, await named.json()]).toEqual([200, { leader: CAROL, term: 9 }]);
  });

  it.each([
    ['a peer id that is none', { to: 'xyz' }, 'to: expected a peer id'],
    ['a field that it does not know', { too: CAROL }, 'too'],
    ['what is no JSON', 'to=me', 'expected JSON'],
  ])('refuses %s', async (_, body, message) => {
    const response = await createTestApp(new FakeNode()).request('/v1/leader/transfer', post(body));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: 'body', message: expect.stringContaining(message) });
  });

  it.each([
    ['not-a-voter', 409],
    ['change-in-progress', 409],
    ['timeout', 504],
    ['offline', 503],
  ] as const)('answers %s with %i', async (failure, status) => {
    const node = new FakeNode();
    node.failure = failure;
    const response = await createTestApp(node).request('/v1/leader/transfer', { method: 'POST' });
    expect([response.status, await response.json()]).toMatchObject([status, { error: failure }]);
  });

  it('is nothing that a web page of somebody else can ask for', async () => {
    const app = createTestApp(new FakeNode());
    const from = (Origin: string) => app.request('http://node:7480/v1/leader/transfer', post({}, { Origin }));
    expect((await from('http://elsewhere')).status).toBe(403);
    expect((await from('null')).status).toBe(403);
    expect((await from('http://node:7480')).status).toBe(200);
  });
});

describe('/v1/voters', () => {
  it('shows what the group began with and who counts now', async () => {
    const response = await createTestApp(new FakeNode()).request('/v1/voters');
    expect(await response.json()).toEqual({
      mode: 'dynamic',
      voters: [ALICE, BOB, CAROL],
      genesis: [ALICE],
      witnesses: [],
      learners: [],
      changing: false,
    });
  });

  it('adds and removes', async () => {
    const node = new FakeNode();
    node.change({ quorum: voters, members: [ALICE] });
    const app = createTestApp(node);
    const added = await app.request('/v1/voters', post({ peer: BOB }));
    expect([added.status, await added.json()]).toMatchObject([200, { voters: [ALICE, BOB] }]);
    const removed = await app.request(`/v1/voters/${ALICE}`, { method: 'DELETE' });
    expect([removed.status, await removed.json()]).toMatchObject([200, { voters: [BOB] }]);
  });

  it('refuses ids that are none, too long a body, and a group whose set follows the bonds', async () => {
    const node = new FakeNode();
    const app = createTestApp(node);
    expect((await app.request('/v1/voters', post({}))).status).toBe(400);
    expect((await app.request('/v1/voters', post({ peer: 'x' }))).status).toBe(400);
    expect((await app.request('/v1/voters/x', { method: 'DELETE' })).status).toBe(400);
    expect((await app.request('/v1/voters', post(' '.repeat(2000)))).status).toBe(413);
    const dynamic = await app.request('/v1/voters', post({ peer: BOB }));
    expect([dynamic.status, await dynamic.json()]).toMatchObject([409, { error: 'dynamic' }]);
  });
});
