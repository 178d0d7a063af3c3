import { keyValue } from '@mosaik/groups';
import { GroupKey, Network } from '@mosaik/network';
import { memoryTransport } from '@mosaik/transport/memory';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeStatus } from '../src/http/node-status.ts';
import { GroupNode, type KeyValueGroup } from '../src/node/group-node.ts';
import { createTestApp } from './fake-node.ts';

interface Member {
  readonly network: Network;
  readonly group: KeyValueGroup;
  readonly app: Hono;
}

/** Three members in this process, joined by a transport in memory, each behind its HTTP API. */
describe('the HTTP API of a group of three', () => {
  const transport = memoryTransport();
  const key = GroupKey.generate();
  const members: Member[] = [];

  async function join(bootstrap: readonly string[]): Promise<Member> {
    const network = await Network.create({ networkId: 'test', transport, discovery: { bootstrap } });
    const group = network.groups
      .withKey(key)
      .withStateMachine(keyValue())
      .withConsensus({ heartbeatIntervalMs: 50, electionTimeoutMs: 500, bootstrapDelayMs: 200 })
      .join();
    const app = createTestApp(new GroupNode({ network, networkName: 'test', group }));
    return { network, group, app };
  }

  function isWhole(): boolean {
    const statuses = members.map(({ group }) => group.status.value);
    const leaders = new Set(statuses.map(({ leader, term }) => `${leader} ${term}`));
    return leaders.size === 1 && statuses.every(({ online, members: { length } }) => online && length === 3);
  }

  beforeAll(async () => {
    const first = await join([]);
    members.push(first, await join(first.network.addresses), await join(first.network.addresses));
    await Promise.all(
      members.map(async ({ group }) => {
        await group.when.bonds((bonds) => bonds.topology.length === 3);
        await group.when.online();
      }),
    );
    // Members that began before they met lead a side each until one gives way.
    while (!isWhole()) await Promise.race(members.map(({ group }) => group.status.changed()));
  });
  afterAll(() => Promise.all(members.map(({ network }) => network.close())));

  const leader = () => members.find(({ group }) => group.isLeader) as Member;
  const followers = () => members.filter(({ group }) => !group.isLeader) as [Member, Member];

  it('has one leader, and every member names it', async () => {
    const answers = await Promise.all(members.map(({ app }) => app.request('/v1/leader')));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503, 503]);
    const bodies = await Promise.all(answers.map((answer) => answer.json()));
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(bodies[0]).toEqual({ leader: leader().network.id, term: leader().group.term });
  });

  it('takes a write at a follower and serves it everywhere', async () => {
    const [follower] = followers();
    const put = await follower.app.request('/v1/kv/color', { method: 'PUT', body: 'red' });
    const { index } = (await put.json()) as { index: number };
    for (const { app } of members) {
      for (const query of ['', `?consistency=weak&minIndex=${index}`]) {
        const get = await app.request(`/v1/kv/color${query}`);
        expect([get.status, await get.text()]).toEqual([200, 'red']);
        expect(get.headers.get('x-index')).toBe(String(index));
        expect(get.headers.get('x-leader')).toBe(leader().network.id);
      }
    }
  });

  it('lets exactly one of many win a compare-and-set', async () => {
    const attempts = await Promise.all(
      Array.from({ length: 12 }, (_, attempt) =>
        members[attempt % 3]?.app.request('/v1/kv/lock?cas=0', { method: 'PUT', body: String(attempt) }),
      ),
    );
    expect(attempts.map((attempt) => attempt?.status).sort()).toEqual([200, ...Array(11).fill(409)]);
  });

  it('carries a request out once under its Idempotency-Key, through whichever member it comes', async () => {
    const ask = (member: Member, body: string, query = '') =>
      member.app.request(`/v1/kv/once${query}`, {
        method: 'PUT',
        body,
        headers: { 'Idempotency-Key': 'request-1' },
      });
    const answers = await Promise.all([...members, ...members].map((member) => ask(member, 'first')));
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
    const indexes = new Set(await Promise.all(answers.map((answer) => answer.text())));
    expect(indexes.size).toBe(1);
    // Somebody writes after it: the repetition must not write again.
    await leader().app.request('/v1/kv/once', { method: 'PUT', body: 'second' });
    const again = await ask(followers()[0], 'first');
    expect(new Set([await again.text()])).toEqual(indexes);
    expect(await (await leader().app.request('/v1/kv/once')).text()).toBe('second');
    for (const [body, query] of [
      ['other', ''],
      ['first', '?cas=0'],
    ] as const) {
      const refused = await ask(followers()[1], body, query);
      expect([refused.status, await refused.json()]).toMatchObject([422, { error: 'key-reused' }]);
    }
    expect(await (await leader().app.request('/v1/kv/once')).text()).toBe('second');
  });

  it('repeats the conflict of a compare-and-set under its key', async () => {
    const ask = (member: Member) =>
      member.app.request('/v1/kv/once?cas=1', {
        method: 'DELETE',
        headers: { 'Idempotency-Key': 'request-2' },
      });
    const first = await ask(leader());
    const second = await ask(followers()[0]);
    expect([first.status, second.status]).toEqual([409, 409]);
    expect(await second.json()).toEqual(await first.json());
  });

  it('shows equal states and the whole mesh in every status', async () => {
    const { index } = (await (await leader().app.request('/v1/kv/last', { method: 'PUT' })).json()) as {
      index: number;
    };
    const statuses = await Promise.all(
      members.map(async ({ app, group }) => {
        await group.query({ type: 'Digest' }, { consistency: 'weak', minIndex: index });
        return (await (await app.request('/v1/status')).json()) as NodeStatus;
      }),
    );
    expect(new Set(statuses.map(({ state }) => state?.digest)).size).toBe(1);
    for (const status of statuses) {
      expect(status).toMatchObject({ online: true, health: 'running', quorum: { mode: 'dynamic' } });
      expect(status.bonds).toHaveLength(2);
      expect(status.topology).toHaveLength(3);
      expect(status.bonds.every(({ ageMs }) => ageMs >= 0)).toBe(true);
    }
  });

  it('lists the other peers', async () => {
    for (const { app } of members) {
      const { peers } = (await (await app.request('/v1/peers')).json()) as { peers: { bonded: boolean }[] };
      expect(peers.map(({ bonded }) => bonded)).toEqual([true, true]);
    }
  });

  it('refuses a value that no command can carry, before it is sent', async () => {
    const { committed } = leader().group;
    const body = new Uint8Array(1 << 20);
    const response = await leader().app.request('/v1/kv/big', { method: 'PUT', body });
    expect(response.status).toBe(413);
    expect(leader().group.committed).toBe(committed);
  });

  it('tells of a change of leader as an event, and serves on', async () => {
    const [follower, other] = followers();
    const old = leader();
    const events = (await follower.app.request('/v1/events')).body?.getReader();
    await events?.read();
    await old.network.close();
    let text = '';
    for (;;) {
      const event = await events?.read();
      text = Buffer.from(event?.value ?? new Uint8Array()).toString();
      if (
        text.includes(`"leader":"${follower.network.id}"`) ||
        text.includes(`"leader":"${other.network.id}"`)
      )
        break;
    }
    await events?.cancel();
    await follower.group.when.online();
    const put = await follower.app.request('/v1/kv/after', { method: 'PUT', body: 'x' });
    expect(put.status).toBe(200);
    const closed = await old.app.request('/v1/kv/after');
    expect([closed.status, closed.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await old.app.request('/healthz')).status).toBe(503);
  });
});
