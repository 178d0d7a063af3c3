import { type LogStorage, memoryLogStorage, type RaftError } from '@mosaik/raft';
import { WatchCell } from '@mosaik/wire/runtime';
import { afterEach, describe, expect, test } from 'vitest';
import { BusyClock } from './support/busy-clock.ts';
import { Mesh, meshId, type TextNode, textMachine } from './support/mesh.ts';

const QUICK = { heartbeatIntervalMs: 200, heartbeatJitterMs: 50, electionTimeoutMs: 500 };

let mesh: Mesh;
afterEach(() => mesh.close());

const caught = <T>(promise: Promise<T>) => promise.catch((error: unknown) => error as RaftError);

function indexOf(node: TextNode): number {
  return [0, 1, 2].find((index) => mesh.nodes.get(meshId(index)) === node) as number;
}

describe.each(['dynamic', 'voters'] as const)('a member whose machine throws (%s)', (mode) => {
  const quorum = mode === 'dynamic' ? mode : { voters: [0, 1, 2].map(meshId) };

  test.each(['leader', 'follower'] as const)(
    'as %s stops alone, says why, and the others go on',
    async (role) => {
      mesh = new Mesh({ quorum, bootstrapDelayMs: 0 });
      for (const index of [0, 1, 2]) await mesh.open(index);
      const leader = await mesh.online();
      const victim = role === 'leader' ? leader : mesh.follower();
      const machine = mesh.machines.get(meshId(indexOf(victim)));
      if (machine)
        machine.apply = () => {
          throw new Error('only here');
        };
      const call = caught(victim.execute('x'));
      const later = caught(victim.execute('y'));
      await mesh.clock.advance(50);
      expect(await call).toMatchObject({
        code: 'apply-failed',
        message: expect.stringContaining('only here'),
      });
      expect(await later).toMatchObject({ code: 'unknown-outcome' });
      expect(victim.status.value).toMatchObject({
        state: 'failed',
        role: 'follower',
        leader: undefined,
        problem: expect.stringMatching(/failed at index \d+: Error: only here/),
      });
      await expect(victim.execute('z')).rejects.toMatchObject({ code: 'terminated' });

      // Their bonds with it are as they were.
      const others = [...mesh.nodes.values()].filter((node) => node !== victim);
      await mesh.clock.until(
        () =>
          others.every(
            ({ status }) => status.value.online && status.value.leader !== meshId(indexOf(victim)),
          ),
        5000,
      );
      const done = others[0]?.execute('on we go');
      await mesh.clock.advance(200);
      await done;
      for (const node of others) expect(node.status.value.state).toBe('running');
    },
  );
});

test('two members, dynamic: the one that is left goes on alone, its bond with the failed one notwithstanding', async () => {
  mesh = new Mesh({ bootstrapDelayMs: 0 });
  for (const index of [0, 1]) await mesh.open(index);
  const leader = await mesh.online();
  const follower = mesh.follower();
  const machine = mesh.machines.get(meshId(indexOf(follower)));
  if (machine)
    machine.apply = () => {
      throw new Error('only here');
    };
  void caught(leader.execute('x'));
  await mesh.clock.until(() => follower.status.value.state === 'failed', 5000);
  await mesh.clock.until(() => leader.status.value.members.length === 1, 10_000);
  const done = leader.execute('alone');
  await mesh.clock.advance(10);
  await done;
});

describe('a store that fails', () => {
  /** Fails from its first write after `fail()`. */
  function failingStorage(): LogStorage & { fail(): void } {
    const memory = memoryLogStorage();
    let failing = false;
    return {
      open: () => memory.open(),
      close: () => memory.close(),
      write: (write) => (failing ? Promise.reject(new Error('EIO: the disk is gone')) : memory.write(write)),
      fail: () => {
        failing = true;
      },
    };
  }

  test.each(['leader', 'follower'] as const)('stops the %s alone, which says why', async (role) => {
    mesh = new Mesh({ bootstrapDelayMs: 0 });
    const storages = [failingStorage(), failingStorage(), failingStorage()];
    for (const [index, storage] of storages.entries()) await mesh.open(index, { storage });
    const leader = await mesh.online();
    const victim = role === 'leader' ? leader : mesh.follower();
    const before = victim.execute('before');
    await mesh.clock.advance(200);
    await before;
    storages[indexOf(victim)]?.fail();
    const call = caught(victim.execute('x'));
    await mesh.clock.until(() => victim.status.value.state === 'failed', 5000);
    if (role === 'leader') expect(await call).toMatchObject({ code: 'unknown-outcome' });
    expect(victim.status.value.problem).toContain('the disk is gone');
    const others = [...mesh.nodes.values()].filter((node) => node !== victim);
    await mesh.clock.until(
      () =>
        others.every(({ status }) => status.value.online && status.value.leader !== meshId(indexOf(victim))),
      5000,
    );
    const done = others[0]?.execute('on we go');
    await mesh.clock.advance(200);
    await done;
  });

  test('or is only full says so while it lasts', async () => {
    mesh = new Mesh({ bootstrapDelayMs: 0 });
    const problem = new WatchCell<string | undefined>(undefined);
    const node = await mesh.open(0, { storage: { ...memoryLogStorage(), problem } });
    await mesh.online();
    problem.set('the disk is full');
    await mesh.clock.advance(1);
    expect(node.status.value).toMatchObject({ state: 'running', problem: 'the disk is full' });
    problem.set(undefined);
    await mesh.clock.advance(1);
    expect(node.status.value.problem).toBeUndefined();
  });
});

describe('a slow machine', () => {
  /** Each command takes its time. */
  function slowMachine(clock: BusyClock, ms: number, batch: boolean): ReturnType<typeof textMachine> {
    const machine = textMachine();
    const { apply } = machine;
    machine.apply = (command, context) => {
      clock.burn(ms);
      return apply.call(machine, command, context);
    };
    if (batch)
      machine.applyBatch = (commands, contexts) =>
        commands.map((command, i) => machine.apply(command, contexts[i] as never));
    return machine;
  }

  test.each([
    ['one by one', false, 6],
    ['in batches', true, 6],
  ])(
    'that applies %s costs neither heartbeats nor leadership, and every call is answered',
    async (_how, batch, ms) => {
      const clock = new BusyClock();
      mesh = new Mesh({ ...QUICK, quorum: { voters: [0, 1, 2].map(meshId) } }, 1, clock);
      for (const index of [0, 1, 2]) await mesh.open(index, { machine: slowMachine(clock, ms, batch) });
      const leader = await mesh.online();
      const { term } = leader.status.value;
      const started = clock.nowMs();
      const calls = Array.from({ length: 300 }, (_, i) => leader.execute(`${i}`));
      await clock.advance(20);
      // Sees what was committed before, though it is not applied yet.
      expect(mesh.machines.get(meshId(indexOf(leader)))?.applied.length).toBeLessThan(300);
      const read = leader.query(undefined, { consistency: 'strong', timeoutMs: 60_000 });
      await clock.until(() => [...mesh.machines.values()].every(({ applied }) => applied.length === 300));
      await Promise.all(calls);
      expect((await read).result).toBe(300);
      expect(clock.nowMs() - started).toBeGreaterThan(1500);
      expect(mesh.leader).toBe(leader);
      expect(leader.status.value.term).toBe(term);
    },
  );
});

test('a leader that was stopped believes no more that it leads, whoever asks first', async () => {
  const clock = new BusyClock();
  mesh = new Mesh({ ...QUICK, quorum: { voters: [0, 1, 2].map(meshId) } }, 1, clock);
  for (const index of [0, 1, 2]) await mesh.open(index);
  const leader = await mesh.online();
  clock.burn(400);
  leader.noticeTime();
  expect(leader.status.value.role).toBe('leader');
  clock.burn(501);
  leader.noticeTime();
  expect(leader.status.value).toMatchObject({ role: 'follower', leader: undefined, online: false });
});
