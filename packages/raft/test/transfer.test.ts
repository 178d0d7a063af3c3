import { afterEach, describe, expect, test } from 'vitest';
import { Mesh, meshId, type TextNode } from './support/mesh.ts';

let mesh: Mesh;
afterEach(() => mesh?.close());

const start = async (quorum: 'voters' | 'dynamic', size = 3) => {
  const voters = Array.from({ length: size }, (_, i) => meshId(i));
  mesh = new Mesh({ bootstrapDelayMs: 100, quorum: quorum === 'voters' ? { voters } : 'dynamic' });
  for (let i = 0; i < size; i += 1) await mesh.open(i);
  return mesh.online();
};
const settled = async <T>(promise: Promise<T>): Promise<T> => {
  let done = false;
  const finish = () => {
    done = true;
  };
  promise.then(finish, finish);
  await mesh.clock.until(() => done);
  return promise;
};
const nodes = () => [...mesh.nodes.values()];
const idOf = (node: TextNode) => [...mesh.nodes].find(([, other]) => other === node)?.[0];

describe.each(['voters', 'dynamic'] as const)('handing leadership over (%s)', (quorum) => {
  test('takes a few round trips, to whoever was named, asked of any member', async () => {
    await start(quorum);
    for (const asked of nodes()) {
      const target = mesh.follower();
      const before = mesh.clock.nowMs();
      await settled(asked.transferLeadership(idOf(target)));
      expect(mesh.clock.nowMs() - before).toBeLessThan(20);
      expect(mesh.leader).toBe(target);
    }
  });

  test('loses no command and does none twice, whoever executes them meanwhile', async () => {
    await start(quorum);
    const sent: string[] = [];
    const calls: Promise<unknown>[] = [];
    for (let round = 0; round < 60; round += 1) {
      for (const [i, node] of nodes().entries()) {
        sent.push(`${round}/${i}`);
        calls.push(node.execute(`${round}/${i}`));
      }
      if (round % 15 === 5)
        void mesh
          .follower()
          .transferLeadership(idOf(mesh.follower()))
          .catch(() => {});
      await mesh.clock.advance(0.13);
    }
    await settled(Promise.all(calls));
    await mesh.clock.advance(50);
    for (const machine of mesh.machines.values()) {
      expect([...machine.applied].sort()).toEqual([...sent].sort());
      expect(machine.applied).toEqual([...mesh.machines.values()][0]?.applied);
    }
  });

  test.each(['transfer', 'leaving'])('by %s, fails no strong read of any member', async (how) => {
    const leader = await start(quorum);
    const reads: Promise<unknown>[] = [];
    for (let round = 0; round < 60; round += 1) {
      for (const node of nodes()) reads.push(node.query(undefined, { consistency: 'strong' }));
      if (round === 20) reads.push(how === 'leaving' ? leader.depart() : leader.transferLeadership());
      await mesh.clock.advance(0.13);
    }
    await settled(Promise.all(reads));
    expect(leader.status.value.role).toBe('follower');
  });

  test('by leaving, it does not lose those of others either', async () => {
    const leader = await start(quorum);
    const others = nodes().filter((node) => node !== leader);
    const calls: Promise<unknown>[] = [];
    for (let round = 0; round < 40; round += 1) {
      for (const node of others) calls.push(node.execute(`${round}`));
      if (round === 10) calls.push(leader.depart());
      await mesh.clock.advance(0.13);
    }
    await settled(Promise.all(calls));
    expect(others.some((node) => node.status.value.role === 'leader')).toBe(true);
  });

  test('by leaving, stops the writes of the others for two messages in a row, and waits for no timer', async () => {
    const leader = await start(quorum);
    mesh.delayMs = 5;
    const writers = nodes().filter((node) => node !== leader);
    const doneAtMs = writers.map((): number[] => []);
    const calls: Promise<unknown>[] = [];
    for (let atMs = 0; atMs < 200; atMs += 1) {
      for (const [i, writer] of writers.entries())
        calls.push(writer.execute(`${atMs}`).then(() => doneAtMs[i]?.push(mesh.clock.nowMs())));
      if (atMs === 100) void leader.depart();
      await mesh.clock.advance(1);
    }
    await settled(Promise.all(calls));
    for (const times of doneAtMs) {
      const pauses = times.slice(1).map((ms, i) => ms - (times[i] as number));
      // TimeoutNow, behind the last entries, has a majority with the target's own vote. What the others have goes to it with
      // theirs, then the append with that; or the append with its own, then the reply. Answers of the old leader still arrive
      // in the first of these.
      expect(Math.max(...pauses)).toBeLessThanOrEqual(2 * mesh.delayMs);
    }
  });

  test.each([0, 1])('by leaving, passes over a member that answers no more (%i)', async (which) => {
    const leader = await start(quorum);
    const followers = nodes().flatMap((node, i) => (node === leader ? [] : [i]));
    const silent = followers[which] as number;
    await mesh.clock.advance(600);
    for (let i = 0; i < nodes().length; i += 1) if (i !== silent) mesh.silence(i, silent);
    // Nothing was written since: it has all that the other one has. Two heartbeats go unanswered.
    await mesh.clock.advance(1200);
    const before = mesh.clock.nowMs();
    await settled(leader.depart());
    expect(mesh.clock.nowMs() - before).toBeLessThan(20);
    expect(nodes()[followers[1 - which] as number]?.status.value.role).toBe('leader');
  });

  test.each([2, 3])(
    'by all %i one right after the other, nobody waits for an election timeout',
    async (size) => {
      const leader = await start(quorum, size);
      const before = mesh.clock.nowMs();
      const all = nodes();
      const leave = async (node: TextNode) => {
        await node.depart();
        await mesh.kill(all.indexOf(node), true);
      };
      const left = [leave(leader)];
      const others = all.filter((node) => node !== leader);
      await mesh.clock.until(() => others.some(({ status }) => status.value.role === 'leader'), 1000);
      left.push(...others.map(leave));
      await settled(Promise.all(left));
      expect(mesh.clock.nowMs() - before).toBeLessThan(200);
    },
  );

  test('by two that leave one right after the other, the third silent, does not come back', async () => {
    const leader = await start(quorum);
    const [other, silent] = nodes().filter((node) => node !== leader) as [TextNode, TextNode];
    await mesh.clock.advance(600);
    for (const [i, node] of nodes().entries()) if (node !== silent) mesh.silence(i, nodes().indexOf(silent));
    await mesh.clock.advance(1200);
    const { term } = leader.status.value;
    const first = leader.depart();
    await mesh.clock.until(() => other.status.value.role === 'leader', 1000);
    const second = other.depart();
    await settled(first);
    await mesh.clock.advance(100);
    expect(other.status.value).toMatchObject({ role: 'leader', term: term + 1 });
    // Nobody is left to hand over to: it waits for an election timeout.
    await settled(second);
  });

  test.each(['its first vote', 'both votes'])(
    'to a member that is lost after %s: another one leads soon, and no call fails',
    async (after) => {
      const leader = await start(quorum);
      const leads = nodes().indexOf(leader);
      const [target, other] = [0, 1, 2].filter((i) => i !== leads) as [number, number];
      await mesh.clock.advance(600);
      if (after === 'its first vote') mesh.silence(target, other);
      const voted = (node: TextNode | undefined) => node?.status.value.leader === undefined;
      leader.transferLeadership(meshId(target)).catch(() => {});
      const left = [leader, nodes()[other] as TextNode];
      await mesh.clock.until(() => voted(leader) && (after === 'its first vote' || voted(left[1])), 100);
      await mesh.kill(target);
      const calls = left.map((node) => node.execute('x'));
      const before = mesh.clock.nowMs();
      await mesh.clock.until(() => left.some((node) => node.status.value.role === 'leader'), 3000);
      // Whoever led says that it leads no more, and a lost bond tells the rest: nobody waits for an election timeout of 2 s.
      expect(mesh.clock.nowMs() - before).toBeLessThan(1000);
      await settled(Promise.all(calls));
    },
  );

  test('to a member that does not answer ends with `timeout`, and commands go on at the old leader', async () => {
    const leader = await start(quorum);
    const target = nodes().findIndex((node) => node !== leader);
    for (const [i, node] of nodes().entries()) if (node !== nodes()[target]) mesh.silence(i, target);
    const call = leader.execute('x');
    const transfer = leader.transferLeadership(meshId(target));
    await expect(settled(transfer)).rejects.toMatchObject({ code: 'timeout' });
    await expect(settled(call)).resolves.toMatchObject({ output: expect.stringContaining('x') });
    expect(mesh.leader).toBe(leader);
  });

  test('so often that a message cannot name all epochs, the next member still gets the log', async () => {
    let leader = await start(quorum);
    for (let i = 0; i < 150; i += 1) {
      await settled(leader.transferLeadership());
      leader = await mesh.online();
    }
    const late = await mesh.open(3);
    await mesh.clock.until(() => late.status.value.committed > 150);
    await settled(late.execute('x'));
    expect(nodes().map((node) => node.status.value.state)).toEqual(Array(4).fill('running'));
  });

  test('to somebody unknown is refused with `not-a-voter`', async () => {
    const leader = await start(quorum);
    await expect(settled(leader.transferLeadership(meshId(9)))).rejects.toMatchObject({
      code: 'not-a-voter',
    });
    await expect(settled(mesh.follower().transferLeadership(meshId(9)))).rejects.toMatchObject({
      code: 'not-a-voter',
    });
  });
});

test('a member without a leader refuses with `offline`; a closed one with `terminated`', async () => {
  mesh = new Mesh({ quorum: { voters: [meshId(0), meshId(1)] } });
  const node = await mesh.open(0);
  await expect(settled(node.transferLeadership())).rejects.toMatchObject({ code: 'offline' });
  await node.close();
  await expect(node.transferLeadership()).rejects.toMatchObject({ code: 'terminated' });
});
