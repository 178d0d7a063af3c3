import { memoryLogStorage, type RaftError } from '@mosaik/raft';
import { type PeerId, type RaftBody, type RaftEpoch, RaftMessage, UniqueId, WireError } from '@mosaik/wire';
import { silentMetrics } from '@mosaik/wire/runtime';
import { settle } from '@mosaik/wire/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { Mesh, meshId, type TextNode, textMachine } from './support/mesh.ts';

let mesh: Mesh;
afterEach(() => mesh.close());

/** Three members, online, with their sessions open. */
async function three(options = {}): Promise<{ leader: TextNode; follower: TextNode }> {
  mesh = new Mesh(options);
  for (const index of [0, 1, 2]) await mesh.open(index);
  const leader = await mesh.online();
  await mesh.clock.advance(20);
  return { leader, follower: mesh.follower() };
}

/** Lets `ms` pass while a call is on its way, and gives how it ended. */
async function after<T>(ms: number, call: Promise<T>): Promise<T | RaftError> {
  const caught = call.catch((error: unknown) => error as RaftError);
  await mesh.clock.advance(ms);
  return caught;
}

describe('three members, dynamic', () => {
  test('elect, replicate, lose the leader, go on, and take it back with an empty log', async () => {
    const { leader, follower } = await three();
    expect(await after(20, leader.execute('one'))).toMatchObject({
      output: expect.stringMatching(/^\d+:one$/),
    });
    expect(await after(20, follower.execute('two'))).toMatchObject({
      output: expect.stringMatching(/^\d+:two$/),
    });
    const lost = [0, 1, 2].find((index) => mesh.nodes.get(meshId(index)) === leader) as number;
    await mesh.kill(lost);
    await mesh.clock.until(() => mesh.leader !== undefined);
    await after(20, (await mesh.online(2)).execute('three'));
    const back = await mesh.open(lost);
    await mesh.online(3);
    await mesh.clock.advance(1000);
    for (const machine of mesh.machines.values()) expect(machine.applied).toEqual(['one', 'two', 'three']);
    expect(await after(20, back.query(undefined, { consistency: 'strong' }))).toMatchObject({ result: 3 });
  });

  test('executeMany is one contiguous run, in order, with an output each', async () => {
    const { leader, follower } = await three();
    for (const node of [leader, follower]) {
      const done = (await after(20, node.executeMany(['a', 'b', 'c']))) as Awaited<
        ReturnType<TextNode['executeMany']>
      >;
      expect(done.to - done.from).toBe(2);
      expect(done.outputs).toEqual(['a', 'b', 'c'].map((text, i) => `${done.from + i}:${text}`));
    }
  });

  test('many calls at once are answered each with its own place', async () => {
    const { leader, follower } = await three();
    const calls = Array.from({ length: 500 }, (_, i) => (i % 2 ? leader : follower).execute(`${i}`));
    await mesh.clock.advance(50);
    for (const [i, call] of calls.entries()) {
      const { index, output } = await call;
      expect(output).toBe(`${index}:${i}`);
    }
  });

  test('the gauge of what is committed follows once a second, and ends at the last value', async () => {
    const told: number[] = [];
    mesh = new Mesh();
    mesh.metrics = {
      ...silentMetrics,
      gauge: (name, value) => void (name === 'mosaik.groups.raft.committed' && told.push(value)),
    };
    await mesh.open(0);
    const node = await mesh.online(1);
    await mesh.clock.advance(2000);
    told.length = 0;
    for (let i = 0; i < 100; i += 1) await after(20, node.execute(`${i}`));
    await mesh.clock.advance(1000);
    expect(told).toHaveLength(2);
    expect(told.at(-1)).toBe(node.status.value.committed);
  });

  test('feed resolves with the place, before it is committed', async () => {
    const { leader, follower } = await three();
    mesh.silence(0, 1);
    mesh.silence(0, 2);
    mesh.silence(1, 2);
    const before = leader.status.value.logPosition.index;
    await expect(leader.feed('x')).resolves.toBe(before + 1);
    expect(leader.status.value.committed).toBe(before);
    void follower;
  });

  test('a query is weak here or strong by the leader, and waits for minIndex (read your writes)', async () => {
    const { leader, follower } = await three();
    const { index } = (await after(5, leader.execute('x'))) as { index: number };
    expect(
      await after(20, follower.query(undefined, { consistency: 'weak', minIndex: index })),
    ).toMatchObject({
      result: 1,
    });
    const strong = (await after(20, follower.query(undefined, { consistency: 'strong' }))) as {
      index: number;
    };
    expect(strong.index).toBeGreaterThanOrEqual(index);
    expect(
      await after(50, leader.query(undefined, { consistency: 'weak', minIndex: index + 100, timeoutMs: 30 })),
    ).toMatchObject({ code: 'timeout' });
  });

  test('a leader that leaves hands over first', async () => {
    const { leader } = await three();
    await mesh.clock.advance(1000);
    const left = leader.depart();
    await mesh.clock.advance(50);
    await left;
    expect(leader.status.value.role).toBe('follower');
    expect(mesh.leader).toBeDefined();
    expect(mesh.leader).not.toBe(leader);
  });
});

describe('what a failed call says', () => {
  test('without a leader: offline, with the commands, and nothing was sent', async () => {
    mesh = new Mesh();
    const node = await mesh.open(0);
    const error = await after(1, node.execute('x'));
    expect(error).toMatchObject({ name: 'RaftError', code: 'offline', commands: ['x'] });
  });

  test('no command, a command that is too large, or that the codec refuses: nothing was sent', async () => {
    const { leader } = await three({ maxCommandBytes: 100 });
    await expect(leader.executeMany([])).rejects.toMatchObject({ code: 'no-commands' });
    await expect(leader.execute('x'.repeat(200))).rejects.toMatchObject({ code: 'too-large' });
    await expect(leader.executeMany(['x'.repeat(60), 'y'.repeat(60)])).rejects.toMatchObject({
      code: 'too-large',
    });
    await expect(leader.execute(7 as never)).rejects.toMatchObject({ code: 'encoding' });
  });

  test('a timeout or an abort after sending: unknown-outcome; before: nothing was sent (W12)', async () => {
    const { leader } = await three();
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const)
      mesh.silence(a, b);
    expect(await after(50, leader.execute('x', { timeoutMs: 20 }))).toMatchObject({
      code: 'unknown-outcome',
    });
    const controller = new AbortController();
    const call = leader.execute('y', { signal: controller.signal });
    await mesh.clock.advance(1);
    controller.abort(new Error('enough'));
    expect(await after(1, call)).toMatchObject({ code: 'unknown-outcome' });
    const unsent = new AbortController();
    const early = leader.execute('z', { signal: unsent.signal });
    unsent.abort(new Error('at once'));
    await expect(early).rejects.toThrow('at once');
    await expect(leader.execute('z', { signal: unsent.signal })).rejects.toThrow('at once');
  });

  test('nobody waits for ever: calls without a limit end after 30 s (W13)', async () => {
    const { leader } = await three();
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const)
      mesh.silence(a, b);
    expect(await after(40_000, leader.execute('x'))).toMatchObject({ code: 'unknown-outcome' });
  });

  test('close rejects whatever is pending', async () => {
    const { leader } = await three();
    const write = leader.execute('x').catch((error: unknown) => error);
    const read = leader.query(undefined, { consistency: 'strong' }).catch((error: unknown) => error);
    await settle();
    await leader.close();
    expect(await write).toMatchObject({ code: 'unknown-outcome' });
    expect(await read).toMatchObject({ code: 'terminated' });
    await expect(leader.execute('x')).rejects.toMatchObject({ code: 'terminated' });
    await expect(leader.status.changed()).rejects.toMatchObject({ code: 'terminated' });
  });

  test('a machine that throws stops the member, which says so', async () => {
    mesh = new Mesh({ bootstrapDelayMs: 0 });
    const node = await mesh.open(0);
    await mesh.online();
    expect(await after(1, node.execute('throw'))).toMatchObject({ code: 'apply-failed' });
    expect(node.status.value).toMatchObject({ state: 'failed', problem: expect.stringMatching(/told to/) });
  });
});

describe('input from outside', () => {
  const forward = (
    first: number,
    ackedBelow: number,
    keys: { at: number; key: UniqueId }[],
    proposals: Uint8Array[][],
  ): RaftBody => ({
    type: 'Forward',
    epoch: { term: 1, leader: meshId(0), nonce: 1n },
    session: 1,
    first,
    ackedBelow,
    keys,
    proposals,
  });

  test('garbage and oversized commands are refused with a coded error', async () => {
    mesh = new Mesh({ maxCommandBytes: 10 });
    const node = await mesh.open(0);
    node.handleBondUp(meshId(1), 1n);
    expect(() => node.handleMessage(meshId(1), Uint8Array.of(1, 99))).toThrow(WireError);
    const epoch: RaftEpoch = { term: 1, leader: meshId(1), nonce: 1n };
    const append = RaftMessage.encode({
      incarnation: 1n,
      body: {
        type: 'Append',
        epoch,
        side: epoch,
        prev: undefined,
        entries: [
          {
            epoch,
            entries: [
              {
                type: 'Command',
                session: 1,
                sequence: 1,
                unacked: 0,
                value: new Uint8Array(11),
              },
            ],
          },
        ],
        commit: 0,
        round: 0,
        durable: 0,
      },
    });
    expect(() => node.handleMessage(meshId(1), append)).toThrow(/maxCommandBytes 10/);
  });

  test('a forwarded command that the machine can not read is refused before it stops everybody', async () => {
    const { leader, follower } = await three();
    const from = [...mesh.nodes].find(([, node]) => node === follower)?.[0] as PeerId;
    const message = RaftMessage.encode({
      incarnation: follower.incarnation,
      body: forward(1, 1, [], [[Uint8Array.of(0xff)]]),
    });
    expect(() => leader.handleMessage(from, message)).toThrow(WireError);
    await mesh.clock.advance(1000);
    for (const node of mesh.nodes.values()) expect(node.status.value.state).toBe('running');
  });

  const one = [Uint8Array.of(1, 0x61)];
  const key = UniqueId.from<UniqueId>('key');
  test.each<[string, RaftBody]>([
    ['no sequence', forward(0, 0, [], [one])],
    ['an answer to what was not sent', forward(1, 2, [], [one])],
    ['more sequences than there are', forward(Number.MAX_SAFE_INTEGER, 1, [], [one])],
    ['a key for a run', forward(1, 1, [{ at: 0, key }], [[...one, ...one]])],
    ['a key for nothing', forward(1, 1, [{ at: 1, key }], [one])],
    [
      'keys out of order',
      forward(
        1,
        1,
        [
          { at: 1, key },
          { at: 0, key },
        ],
        [one, one],
      ),
    ],
  ])('a forwarded message that contradicts itself is refused: %s', async (_, body) => {
    const { leader, follower } = await three();
    const from = [...mesh.nodes].find(([, node]) => node === follower)?.[0] as PeerId;
    const message = RaftMessage.encode({ incarnation: follower.incarnation, body });
    expect(() => leader.handleMessage(from, message)).toThrow(WireError);
  });

  test.each(['VoteRequest', 'VoteResponse'] as const)(
    'a term that nobody could go beyond is refused (%s)',
    async (type) => {
      const { leader, follower } = await three();
      const from = [...mesh.nodes].find(([, node]) => node === follower)?.[0] as PeerId;
      const term = Number.MAX_SAFE_INTEGER;
      const epoch: RaftEpoch = { term, leader: from, nonce: 1n };
      const body: RaftBody =
        type === 'VoteResponse'
          ? { type, epoch, pre: true, term, verdict: { type: 'Denied' } }
          : {
              type,
              epoch,
              pre: false,
              side: undefined,
              lastTerm: term,
              lastIndex: term,
              forced: undefined,
              transfer: undefined,
            };
      const message = RaftMessage.encode({ incarnation: follower.incarnation, body });
      expect(() => leader.handleMessage(from, message)).toThrow(/out of reach/);
    },
  );
});

describe('three voters with logs in memory', () => {
  const quorum = { voters: [0, 1, 2].map(meshId) };
  const indexOf = (node: TextNode) =>
    [0, 1, 2].find((index) => mesh.nodes.get(meshId(index)) === node) as number;

  test('one that comes back empty counts for nothing until the leader admits it again, and says so', async () => {
    const { leader, follower } = await three({ quorum });
    await after(20, leader.execute('kept'));
    const lost = indexOf(follower);
    await mesh.kill(lost);
    await mesh.clock.advance(100);
    const back = await mesh.open(lost);
    const said: (string | undefined)[] = [];
    back.status.subscribe(({ problem }) => said.push(problem));
    await mesh.clock.until(() => back.status.value.online);
    expect(said).toContainEqual(expect.stringMatching(/lost its log/));
    await mesh.clock.until(() => back.status.value.problem === undefined);
    expect(await after(20, back.query(undefined, { consistency: 'strong' }))).toMatchObject({ result: 1 });
    await after(20, back.execute('through it'));
    // Its vote and its copy are worth as much as those of the third, which goes now.
    const other = [...mesh.nodes.values()].find((node) => node !== leader && node !== back) as TextNode;
    await mesh.kill(indexOf(other));
    expect(await after(50, leader.execute('with it', { timeoutMs: 40 }))).toMatchObject({
      output: expect.stringMatching(/with it/),
    });
  });

  test('each may be restarted empty, one after the other, and nothing is lost', async () => {
    const { leader } = await three({ quorum });
    const written: string[] = [];
    await after(20, leader.execute('first'));
    for (const index of [0, 1, 2, 0, 1, 2]) {
      await mesh.kill(index);
      await mesh.clock.until(() => mesh.leader?.status.value.online === true);
      const back = await mesh.open(index);
      await mesh.clock.until(() => back.status.value.online && back.status.value.problem === undefined);
      const text = `${written.length}`;
      await after(20, back.execute(text));
      written.push(text);
    }
    await mesh.clock.advance(1000);
    for (const machine of mesh.machines.values()) expect(machine.applied).toEqual(['first', ...written]);
  });

  test('whoever is not listed follows and is never admitted', async () => {
    const { leader } = await three({ quorum });
    const learner = await mesh.open(3);
    await mesh.clock.until(() => learner.status.value.online);
    await mesh.clock.advance(5000);
    expect(leader.status.value.members).toEqual(quorum.voters);
  });

  test('when a majority lost its log nobody leads, and each says why', async () => {
    const { leader } = await three({ quorum });
    await after(20, leader.execute('kept'));
    const kept = indexOf(leader);
    const others = [0, 1, 2].filter((index) => index !== kept);
    for (const index of others) await mesh.kill(index);
    await mesh.clock.advance(3000);
    for (const index of others) await mesh.open(index);
    await mesh.clock.advance(20_000);
    expect(mesh.leader).toBeUndefined();
    expect(leader.status.value.problem).toBe(
      'no leader can be elected: 2 of 3 voters came back without their log, 1 of the 2 needed are here with it',
    );
    for (const index of others)
      expect(mesh.nodes.get(meshId(index))?.status.value.problem).toMatch(/has no log, others have one/);
  });

  test('a group that waits for a voter to begin says for whom', async () => {
    mesh = new Mesh({ quorum });
    const node = await mesh.open(0);
    await mesh.open(1);
    await mesh.clock.advance(20_000);
    expect(node.status.value.problem).toBe(
      `the group has not begun: that needs every voter at once; missing: ${meshId(2)}`,
    );
    await mesh.open(2);
    await mesh.clock.until(() => node.status.value.online);
    expect(node.status.value.problem).toBeUndefined();
  });

  test('with stores that are kept all of them may stop: what was acknowledged is there', async () => {
    const quorum = { voters: [0, 1, 2].map(meshId) };
    mesh = new Mesh({ quorum });
    const stores = [0, 1, 2].map(() => memoryLogStorage());
    for (const index of [0, 1, 2]) await mesh.open(index, { storage: stores[index] as never });
    await after(20, (await mesh.online()).execute('kept'));
    const { incarnation } = mesh.nodes.get(meshId(0)) as TextNode;
    for (const index of [0, 1, 2]) await mesh.kill(index);
    for (const index of [0, 1, 2]) await mesh.open(index, { storage: stores[index] as never });
    expect(mesh.nodes.get(meshId(0))?.incarnation).toBe(incarnation);
    const leader = await mesh.online();
    expect(await after(20, leader.query(undefined, { consistency: 'strong' }))).toMatchObject({ result: 1 });
  });
});

describe('machines', () => {
  test('applyBatch is given whole batches and gives the same as apply', async () => {
    mesh = new Mesh({ bootstrapDelayMs: 0 });
    const machine = textMachine();
    const sizes: number[] = [];
    machine.applyBatch = (commands, contexts) => {
      sizes.push(commands.length);
      return commands.map((command, i) => machine.apply(command, contexts[i] as never));
    };
    const node = await mesh.open(0, { machine });
    await mesh.online();
    const calls = ['a', 'b', 'c'].map((text) => node.execute(text));
    await mesh.clock.advance(1);
    expect((await Promise.all(calls)).map(({ output }) => output)).toEqual(['3:a', '4:b', '5:c']);
    expect(sizes).toEqual([3]);
  });
});
