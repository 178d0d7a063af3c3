import { type CompactionOptions, memoryLogStorage } from '@mosaik/raft';
import { afterEach, expect, test } from 'vitest';
import { compaction } from '../src/compaction.ts';
import { Mesh, textMachine } from './support/mesh.ts';

const SMALL: CompactionOptions = { snapshotAfterEntries: 16, retainBytes: 1500, revertHorizonBytes: 0 };
const OPTIONS = { bootstrapDelayMs: 100 };

let mesh: Mesh;
afterEach(() => mesh.close());

const write = async (count: number) => {
  const node = mesh.leader;
  for (let i = 0; i < count; i += 1) {
    let done = false;
    node?.execute(`command ${i}`).then(() => {
      done = true;
    });
    await mesh.clock.until(() => done);
  }
};

test('a store holds a snapshot and a bounded tail, however many commands went through', async () => {
  mesh = new Mesh(OPTIONS);
  const storage = memoryLogStorage();
  await mesh.open(0, { storage, compaction: SMALL });
  await mesh.online(1);
  await write(500);
  await mesh.kill(0);
  const stored = await storage.open();
  const snapshot = stored?.snapshot?.index ?? 0;
  const kept = stored?.runs.reduce((sum, run) => sum + run.entries.length, 0) ?? 0;
  expect(snapshot).toBeGreaterThan(350);
  expect(snapshot - (stored?.base ?? 0)).toBeLessThan(16);
  // Since the last snapshot as many bytes as its own went by at most.
  expect(kept).toBeLessThan(502);
  expect((stored?.base ?? 0) + kept).toBe(502);
});

test('a member restarts from its snapshot and applies the rest once that is committed again', async () => {
  mesh = new Mesh(OPTIONS);
  const storage = memoryLogStorage();
  await mesh.open(0, { storage, compaction: SMALL });
  await mesh.online(1);
  await write(100);
  await mesh.kill(0);
  const machine = textMachine();
  const node = await mesh.open(0, { storage, compaction: SMALL, machine });
  const restored = machine.applied.length;
  expect(restored).toBeGreaterThan(50);
  expect(node.status.value.applied).toBeGreaterThanOrEqual(restored);
  await mesh.online(1);
  const { index } = await node.execute('again');
  expect(machine.applied).toEqual([...Array.from({ length: 100 }, (_, i) => `command ${i}`), 'again']);
  expect(index).toBeGreaterThan(101);
});

test('members take their snapshots at the same indexes, with the same bytes', async () => {
  mesh = new Mesh(OPTIONS);
  const stores = [memoryLogStorage(), memoryLogStorage(), memoryLogStorage()];
  for (const [i, storage] of stores.entries()) await mesh.open(i, { storage, compaction: SMALL });
  await mesh.online(3);
  await write(200);
  await mesh.clock.until(() => [...mesh.nodes.values()].every((node) => node.status.value.applied > 200));
  await mesh.close();
  const snapshots = await Promise.all(stores.map(async (storage) => (await storage.open())?.snapshot));
  expect(snapshots[0]?.index).toBeGreaterThan(100);
  expect(snapshots[1]).toEqual(snapshots[0]);
  expect(snapshots[2]).toEqual(snapshots[0]);
});

test('a member behind the base gets a snapshot, then the rest (Raft §7)', async () => {
  mesh = new Mesh(OPTIONS);
  for (let i = 0; i < 3; i += 1) await mesh.open(i, { compaction: SMALL });
  await mesh.online(3);
  await write(300);
  const machine = textMachine();
  const storage = memoryLogStorage();
  const late = await mesh.open(3, { machine, storage, compaction: SMALL });
  await mesh.online(4);
  await write(20);
  await mesh.clock.until(() => late.status.value.applied === mesh.leader?.status.value.applied);
  expect(machine.applied).toEqual([...mesh.machines.values()][0]?.applied);
  expect(machine.applied).toHaveLength(320);
  const stored = await storage.open();
  expect(stored?.base).toBeGreaterThan(100);
});

test('options are refused by name and value', () => {
  expect(() => compaction({ snapshotAfterEntries: 1 })).toThrow(
    'snapshotAfterEntries must be an integer of at least 16, got 1',
  );
  expect(() => compaction({ retainBytes: Number.NaN })).toThrow(/retainBytes/);
  expect(() => compaction({ witnessRetentionBytes: 1024 })).toThrow(
    /witnessRetentionBytes .* 65536, got 1024/,
  );
});
