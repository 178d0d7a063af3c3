import { memoryLogStorage, type RaftError } from '@mosaik/raft';
import { type RaftBody, RaftMessage } from '@mosaik/wire';
import { afterEach, describe, expect, test } from 'vitest';
import { Mesh, meshId, type TextNode, textMachine } from './support/mesh.ts';

let mesh: Mesh;
afterEach(() => mesh?.close());

const voters = [0, 1, 2].map(meshId);

/** Three members, online, with their sessions open. */
async function three(options: ConstructorParameters<typeof Mesh>[0] = {}): Promise<TextNode> {
  mesh = new Mesh({ bootstrapDelayMs: 100, ...options });
  for (const index of [0, 1, 2]) await mesh.open(index);
  const leader = await mesh.online();
  await mesh.clock.advance(20);
  return leader;
}

const indexOf = (node: TextNode) =>
  [0, 1, 2].find((index) => mesh.nodes.get(meshId(index)) === node) as number;
const nodes = () => [...mesh.nodes.values()];

async function settled<T>(promise: Promise<T>): Promise<T | RaftError> {
  let done = false;
  const caught = promise
    .catch((error: unknown) => error as RaftError)
    .finally(() => {
      done = true;
    });
  await mesh.clock.until(() => done);
  return caught;
}

/** Everybody applied the same, and each of `texts` once. */
async function expectOnce(texts: readonly string[]): Promise<void> {
  await mesh.clock.advance(2000);
  for (const id of mesh.nodes.keys())
    expect([...(mesh.machines.get(id)?.applied ?? [])].sort()).toEqual([...texts].sort());
}

describe.each(['voters', 'dynamic'] as const)(
  'a command is applied once, and its caller told (%s)',
  (kind) => {
    const quorum = kind === 'voters' ? { voters } : ('dynamic' as const);

    test('when the leader dies before it answered', async () => {
      const leader = await three({ quorum });
      const others = nodes().filter((node) => node !== leader);
      const texts: string[] = [];
      const calls: Promise<unknown>[] = [];
      for (let round = 0; round < 40; round += 1) {
        for (const [i, node] of others.entries()) {
          texts.push(`${round}/${i}`);
          calls.push(node.execute(`${round}/${i}`));
        }
        await mesh.clock.advance(0.13);
      }
      await mesh.kill(indexOf(leader));
      const answers = (await settled(Promise.all(calls))) as { index: number; output: string }[];
      expect(answers).toHaveLength(texts.length);
      expect(answers.map(({ index, output }, i) => output === `${index}:${texts[i]}`)).not.toContain(false);
      await expectOnce(texts);
    });

    test('when a run of commands was on its way', async () => {
      const leader = await three({ quorum });
      const call = mesh.follower().executeMany(['a', 'b', 'c']);
      await mesh.clock.advance(0.01);
      await mesh.kill(indexOf(leader));
      expect(await settled(call)).toMatchObject({
        outputs: [/:a$/, /:b$/, /:c$/].map((text) => expect.stringMatching(text)),
      });
      await expectOnce(['a', 'b', 'c']);
    });

    test('when it is the leader itself that is cut off, and comes back under another one', async () => {
      const leader = await three({ quorum: { voters } });
      const cut = indexOf(leader);
      const others = [0, 1, 2].filter((index) => index !== cut);
      for (const other of others) mesh.silence(cut, other);
      const call = leader.execute('through', { timeoutMs: 60_000 });
      await mesh.clock.until(() =>
        nodes().some((node) => node !== leader && node.status.value.role === 'leader'),
      );
      for (const other of others) mesh.speak(cut, other);
      expect(await settled(call)).toMatchObject({ output: expect.stringMatching(/:through$/) });
      expect(leader.status.value.role).toBe('follower');
      await expectOnce(['through']);
    });

    test('when the answer of a living leader is late', async () => {
      const leader = await three({ quorum, forwardTimeoutMs: 100 });
      const follower = mesh.follower();
      const call = follower.execute('late');
      mesh.silence(indexOf(leader), indexOf(follower));
      await mesh.clock.advance(350);
      mesh.speak(indexOf(leader), indexOf(follower));
      expect(await settled(call)).toMatchObject({ output: expect.stringMatching(/:late$/) });
      await expectOnce(['late']);
    });

    test('when a message comes twice', async () => {
      const leader = await three({ quorum });
      const follower = mesh.follower();
      const twice: Uint8Array[] = [];
      const handleMessage = leader.handleMessage.bind(leader);
      leader.handleMessage = (peer, bytes) => {
        const kept = bytes.slice();
        handleMessage(peer, bytes);
        const { body } = RaftMessage.decode(kept);
        if (body.type === 'Forward' || body.type === 'OpenSession') twice.push(kept);
      };
      const answers = [follower.execute('one'), follower.executeMany(['two', 'three'])];
      await settled(Promise.all(answers));
      const id = meshId(indexOf(follower));
      for (let i = 0; i < 3; i += 1) for (const bytes of twice) handleMessage(id, bytes.slice());
      await settled(follower.execute('four'));
      await expectOnce(['one', 'two', 'three', 'four']);
    });

    test('when there are more members than sessions', async () => {
      await three({ quorum, maxSessions: 1 });
      const texts: string[] = [];
      for (let round = 0; round < 6; round += 1) {
        const calls = nodes().map((node, i) => {
          texts.push(`${round}/${i}`);
          return node.execute(`${round}/${i}`);
        });
        await settled(Promise.all(calls));
      }
      await expectOnce(texts);
    });
  },
);

test('what was meant for an epoch that is over is refused', async () => {
  const leader = await three({ quorum: { voters } });
  const follower = mesh.follower();
  let kept: Uint8Array | undefined;
  const handleMessage = leader.handleMessage.bind(leader);
  leader.handleMessage = (peer, bytes) => {
    if (RaftMessage.decode(bytes).body.type === 'Forward') kept ??= bytes.slice();
    handleMessage(peer, bytes);
  };
  await settled(follower.execute('one'));
  await settled(follower.transferLeadership(meshId(indexOf(follower))));
  await settled(leader.transferLeadership(meshId(indexOf(leader))));
  const { index } = leader.status.value.logPosition;
  const { body, incarnation } = RaftMessage.decode(kept as Uint8Array);
  const again: RaftBody = { ...(body as Extract<RaftBody, { type: 'Forward' }>), first: 999 };
  handleMessage(meshId(indexOf(follower)), RaftMessage.encode({ incarnation, body: again }));
  await mesh.clock.advance(50);
  expect(leader.status.value.logPosition.index).toBe(index);
});

describe('an idempotency key', () => {
  const idempotencyKey = 'request';

  test('makes one of all commands that come with it, through whichever member', async () => {
    await three();
    const calls = [...nodes(), ...nodes()].map((node) => node.execute('x', { idempotencyKey }));
    const answers = (await settled(Promise.all(calls))) as { index: number; output: string }[];
    expect(new Set(answers.map(({ index, output }) => `${index} ${output}`)).size).toBe(1);
    expect(answers[0]?.output).toBe(`${answers[0]?.index}:x`);
    await expectOnce(['x']);
  });

  test('outlives the leader that took it', async () => {
    const leader = await three();
    const first = await settled(leader.execute('x', { idempotencyKey }));
    await mesh.kill(indexOf(leader));
    await mesh.online(2);
    expect(await settled(mesh.follower().execute('x', { idempotencyKey }))).toEqual(first);
    await expectOnce(['x']);
  });

  test('of another command is refused, and nothing is applied', async () => {
    const leader = await three();
    await settled(leader.execute('x', { idempotencyKey }));
    expect(await settled(mesh.follower().execute('y', { idempotencyKey }))).toMatchObject({
      code: 'key-reused',
    });
    await expectOnce(['x']);
  });

  test('is forgotten in the order of the log, on all members alike', async () => {
    const leader = await three({ maxSessions: 2 });
    for (const key of ['a', 'b', 'c']) await settled(leader.execute(key, { idempotencyKey: key }));
    for (const key of ['c', 'b', 'a']) await settled(mesh.follower().execute(key, { idempotencyKey: key }));
    await expectOnce(['a', 'b', 'c', 'a']);
  });

  test('whose output was too large to keep leaves the repetition without one', async () => {
    const leader = await three();
    const text = 'x'.repeat(5000);
    expect(await settled(leader.execute(text, { idempotencyKey }))).toMatchObject({
      output: expect.stringContaining(text),
    });
    expect(await settled(leader.execute(text, { idempotencyKey }))).toMatchObject({
      code: 'unknown-outcome',
    });
    await expectOnce([text]);
  });

  test('is remembered by the snapshot of a member that was restarted', async () => {
    mesh = new Mesh({ bootstrapDelayMs: 0 });
    const storage = memoryLogStorage();
    const compaction = { snapshotAfterEntries: 16, snapshotAfterBytes: 4096 };
    const node = await mesh.open(0, { storage, compaction });
    await mesh.online(1);
    const first = await settled(node.execute('x', { idempotencyKey }));
    for (let i = 0; i < 80; i += 1) await settled(node.execute(`${i} ${'x'.repeat(100)}`));
    await mesh.kill(0);
    expect((await storage.open())?.snapshot?.index).toBeGreaterThan(3);
    const back = await mesh.open(0, { storage, compaction });
    await mesh.online(1);
    expect(await settled(back.execute('x', { idempotencyKey }))).toEqual(first);
  });

  test('goes with machines that apply in batches', async () => {
    mesh = new Mesh({ bootstrapDelayMs: 0 });
    const machine = textMachine();
    machine.applyBatch = (commands, contexts) =>
      commands.map((command, i) => machine.apply(command, contexts[i] as never));
    const node = await mesh.open(0, { machine });
    await mesh.online(1);
    const calls = ['a', 'b', 'b', 'c'].map((text) =>
      node.execute(text, text === 'b' ? { idempotencyKey } : {}),
    );
    const answers = (await settled(Promise.all(calls))) as { output: string }[];
    expect(answers.map(({ output }) => output.split(':')[1])).toEqual(['a', 'b', 'b', 'c']);
    expect(machine.applied).toEqual(['a', 'b', 'c']);
  });

  test('that is no key, or a machine that can not say its outputs, is a mistake of the caller', async () => {
    const leader = await three();
    await expect(leader.execute('x', { idempotencyKey: '' })).rejects.toThrow(RangeError);
    await expect(leader.execute('x', { idempotencyKey: 'x'.repeat(257) })).rejects.toThrow(RangeError);
    await expect(leader.execute('x', { idempotencyKey: 7 as never })).rejects.toThrow(TypeError);
    await mesh.close();
    mesh = new Mesh({ bootstrapDelayMs: 0 });
    const { output: _, ...mute } = textMachine();
    const node = await mesh.open(0, { machine: { ...mute, output: undefined } as never });
    await expect(node.execute('x', { idempotencyKey })).rejects.toThrow(/output codec/);
  });
});
