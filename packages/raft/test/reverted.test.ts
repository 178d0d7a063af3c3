import type { CompactionOptions, Reverted } from '@mosaik/raft';
import { afterEach, describe, expect, test } from 'vitest';
import { Mesh, meshId, type TextNode } from './support/mesh.ts';

let mesh: Mesh;
afterEach(() => mesh?.close());

/** What each member told, in order. */
let told: { member: number; event: Reverted<string> }[];

const indexOf = (node: TextNode | undefined) =>
  [0, 1, 2, 3].find((index) => mesh.nodes.get(meshId(index)) === node) as number;
const textsOf = ({ commands }: Reverted<string>) => commands.map(({ command }) => command);
const machineOf = (index: number) => mesh.machines.get(meshId(index))?.applied ?? [];

async function open(index: number, compaction?: CompactionOptions): Promise<TextNode> {
  return mesh.open(index, {
    handleReverted: (event) => told.push({ member: index, event }),
    ...(compaction ? { compaction } : {}),
  });
}

interface Sides {
  readonly leads: number;
  readonly others: readonly [number, number];
}

/** Three members of which one leads, with their sessions open. */
async function three(compaction?: CompactionOptions, maxSessions = 4096): Promise<Sides> {
  mesh = new Mesh({ bootstrapDelayMs: 100, maxSessions });
  told = [];
  for (const index of [0, 1, 2]) await open(index, compaction);
  await mesh.online();
  await mesh.clock.advance(100);
  const leads = indexOf(mesh.leader);
  return { leads, others: [0, 1, 2].filter((index) => index !== leads) as [number, number] };
}

/** What a call came to, the clock going on meanwhile. */
async function settled<T>(call: Promise<T>): Promise<T> {
  let done = false;
  call.then(
    () => {
      done = true;
    },
    () => {
      done = true;
    },
  );
  await mesh.clock.until(() => done);
  return call;
}

const at = (index: number) => mesh.nodes.get(meshId(index)) as TextNode;
const leadsAlone = (index: number) => {
  const { role, online, members } = at(index).status.value;
  return role === 'leader' && online && members.length === 1;
};

/**
 * The leader has a command of another member that nobody else heard of, and is alone from then on; that member sent it
 * again on its side. Both sides have committed it.
 */
async function splitOver(text: string, compaction?: CompactionOptions): Promise<Sides> {
  const sides = await three(compaction);
  const { leads, others } = sides;
  const call = at(others[0]).execute(text, { timeoutMs: 60_000 });
  await mesh.clock.advance(0.05);
  for (const other of others) mesh.silence(leads, other);
  await mesh.clock.advance(0.1);
  for (const other of others) mesh.part(leads, other);
  await settled(call);
  await mesh.clock.until(() => leadsAlone(leads));
  expect(machineOf(leads)).toEqual([text]);
  expect(machineOf(others[0])).toEqual([text]);
  return sides;
}

/** The sides have met, and everybody has the same. */
async function met(): Promise<void> {
  mesh.heal();
  await mesh.clock.until(() => mesh.isOnline(3));
  await mesh.clock.advance(5000);
}

const reports = () => told.map(({ member, event }) => [member, textsOf(event)]);

describe('what a side gives up is reported without what the other side has too (consensus D8)', () => {
  test('a command that its caller sent again on the other side', async () => {
    const { leads, others } = await splitOver('both');
    await settled(at(leads).execute('lost'));
    await settled(at(others[1]).execute('kept'));
    await met();
    expect(reports()).toEqual([[leads, ['lost']]]);
    expect(told[0]?.event).toMatchObject({ complete: true, compared: true });
    for (const index of [0, 1, 2]) expect(machineOf(index)).toEqual(['both', 'kept']);
    expect(at(leads).status.value.reverted).toBe(1);
  });

  test('nobody is told anything when that was all', async () => {
    const { leads } = await splitOver('both');
    await met();
    expect(reports()).toEqual([]);
    for (const index of [0, 1, 2]) expect(machineOf(index)).toEqual(['both']);
    expect(at(leads).status.value.reverted).toBeUndefined();
  });

  test('not what a caller of the side that lost has its answer to, and the other side never heard of', async () => {
    const { leads, others } = await three();
    for (const other of others) mesh.part(leads, other);
    await mesh.clock.until(() => leadsAlone(leads) && at(others[0]).status.value.online);
    for (const text of ['a', 'b']) await settled(at(leads).execute(text));
    await settled(at(others[1]).execute('kept'));
    // With the first command after the merge its session says that it waits for neither any more.
    mesh.heal();
    await mesh.clock.until(() => mesh.isOnline(3));
    await settled(at(leads).execute('c'));
    await met();
    expect(reports()).toEqual([[leads, ['a', 'b']]]);
  });

  test('also when its caller is another process since', async () => {
    const { others } = await splitOver('both');
    await mesh.kill(others[0]);
    await mesh.clock.until(() => leadsAlone(others[1]));
    await open(others[0]);
    await mesh.clock.until(
      () => at(others[0]).status.value.online && at(others[1]).status.value.members.length === 2,
    );
    await settled(at(others[0]).execute('kept'));
    await met();
    expect(reports()).toEqual([]);
    for (const index of [0, 1, 2]) expect(machineOf(index)).toEqual(['both', 'kept']);
  });

  test.each([4096, 1])('a command that came with the same key to both sides (%i keys kept)', async (keys) => {
    const { leads, others } = await three(undefined, keys);
    for (const other of others) mesh.part(leads, other);
    await mesh.clock.until(() => leadsAlone(leads) && at(others[0]).status.value.online);
    for (const [member, text, idempotencyKey] of [
      [leads, 'both', 'one'],
      [others[1], 'both', 'one'],
      [leads, 'lost', 'two'],
      [others[1], 'kept', 'two'],
    ] as const)
      await settled(at(member).execute(text, { idempotencyKey }));
    await met();
    expect(reports()).toEqual([[leads, ['lost']]]);
    for (const index of [0, 1, 2]) expect(machineOf(index)).toEqual(['both', 'kept']);
  });

  test('also when what the other side has comes as a snapshot', async () => {
    const small = { snapshotAfterEntries: 16, retainBytes: 200, revertHorizonBytes: 0 };
    const { leads, others } = await splitOver('both', small);
    await settled(at(leads).execute('lost'));
    for (let i = 0; i < 100; i += 1) await settled(at(others[0]).execute(`${i}`));
    await met();
    expect(machineOf(leads)).toHaveLength(101);
    expect(reports()).toEqual([[leads, ['lost']]]);
    expect(told[0]?.event.compared).toBe(true);
  });
});

describe('what becomes of the report when the member does not catch up', () => {
  /** The loser went back, and has not heard what the others have. */
  async function wentBack(): Promise<Sides> {
    const sides = await splitOver('both');
    const { leads, others } = sides;
    await settled(at(leads).execute('lost'));
    let fell = false;
    const { committed } = at(leads).status.value;
    at(leads).status.subscribe((status) => {
      fell ||= status.committed < committed;
    });
    mesh.heal();
    await mesh.clock.until(() => fell);
    expect(told).toEqual([]);
    for (const other of others) mesh.silence(leads, other);
    return sides;
  }

  test('closed, it tells what it knows', async () => {
    const { leads } = await wentBack();
    const node = at(leads);
    await mesh.kill(leads);
    expect(reports()).toEqual([[leads, ['both', 'lost']]]);
    expect(told[0]?.event.compared).toBe(false);
    expect(node.status.value).toMatchObject({ state: 'closed', reverted: 2 });
    await node.close();
    expect(told).toHaveLength(1);
  });

  test('on a side of its own it waits until it meets the other one again', async () => {
    const { leads, others } = await wentBack();
    for (const other of others) mesh.part(leads, other);
    await mesh.clock.until(() => leadsAlone(leads));
    await settled(at(leads).execute('more'));
    expect(told).toEqual([]);
    await settled(at(others[0]).execute('kept'));
    await met();
    expect(machineOf(leads)).toEqual(['both', 'kept']);
    expect(reports()).toEqual([
      [leads, ['lost']],
      [leads, ['more']],
    ]);
    expect(told.map(({ event }) => event.compared)).toEqual([true, true]);
  });

  test('after a minute it tells what it knows, once', async () => {
    const { leads, others } = await wentBack();
    for (const other of others) mesh.part(leads, other);
    await mesh.clock.advance(59_000);
    expect(told).toEqual([]);
    await mesh.clock.advance(2000);
    await met();
    expect(reports()).toEqual([[leads, ['both', 'lost']]]);
    expect(told[0]?.event.compared).toBe(false);
  });
});
