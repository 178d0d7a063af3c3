import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompactionOptions, forceNewGroup, type LogStorage, memoryLogStorage } from '@mosaik/raft';
import { fileLogStorage } from '@mosaik/raft/file';
import { settle } from '@mosaik/wire/testing';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { Mesh, meshId, type TextNode } from './support/mesh.ts';

let mesh: Mesh;
let stores: LogStorage[];
afterEach(() => mesh?.close());

/** Writes to files that are under way. */
const writing = new Set<Promise<void>>();
/** As `mesh.clock.until`, and time stands still while files are written: it would go on much faster than they. */
const until = async (holds: () => boolean): Promise<void> => {
  const limitMs = mesh.clock.nowMs() + 60_000;
  for (;;) {
    do {
      await Promise.all(writing);
      await settle();
    } while (writing.size > 0);
    if (holds()) return;
    if (!mesh.clock.fireNext(limitMs)) throw new Error('did not come about within 60 s');
  }
};
const settled = async <T>(promise: Promise<T>): Promise<T> => {
  let done = false;
  const finish = () => {
    done = true;
  };
  promise.then(finish, finish);
  await until(() => done);
  return promise;
};
const start = async (init: { storage?: LogStorage } & CompactionOptions = {}) => {
  const { storage, ...compaction } = init;
  const quorum = { voters: [0, 1].map(meshId), witnesses: [meshId(2)] };
  mesh = new Mesh({ bootstrapDelayMs: 100, quorum });
  stores = [0, 1].map(() => memoryLogStorage());
  for (const index of [0, 1]) await mesh.open(index, { storage: stores[index] as LogStorage, compaction });
  const witness = await mesh.open(2, { preference: 'witness', compaction, ...(storage ? { storage } : {}) });
  await until(() => mesh.isOnline(3));
  return { leader: mesh.leader as TextNode, witness };
};

test('two data voters and a witness go on without either data voter', async () => {
  const { leader, witness } = await start();
  await settled(leader.execute('a'));
  const gone = [...mesh.nodes.values()].indexOf(leader);
  expect(gone).not.toBe(2);
  await mesh.kill(gone);
  await mesh.clock.until(() => mesh.leader?.status.value.online === true);
  expect(mesh.leader).not.toBe(witness);
  await settled((mesh.leader as TextNode).execute('b'));
  expect(mesh.machines.get(meshId(1 - gone))?.applied).toEqual(['a', 'b']);
});

test('a witness has no state: it applies nothing, and neither executes nor answers', async () => {
  const { leader, witness } = await start();
  await settled(leader.execute('a'));
  await mesh.clock.advance(1000);
  expect(mesh.machines.get(meshId(2))?.applied).toEqual([]);
  expect(witness.status.value).toMatchObject({ applied: 0, committed: leader.status.value.committed });
  expect(leader.status.value.voters).toMatchObject({ witnesses: [meshId(2)], genesis: [0, 1].map(meshId) });
  await expect(witness.execute('b')).rejects.toMatchObject({ code: 'offline', commands: ['b'] });
  await expect(witness.query(undefined, { consistency: 'weak' })).rejects.toMatchObject({ code: 'offline' });
});

/** 100 commands of 10 000 bytes. */
const writeMegabyte = async (): Promise<void> => {
  const commands = Array.from({ length: 100 }, (_, i) => `${i}${'x'.repeat(10_000)}`);
  await settled(Promise.all(commands.map((command) => (mesh.leader as TextNode).execute(command))));
};
const keptBytes = async (storage: LogStorage): Promise<number> => {
  const runs = (await storage.open())?.runs ?? [];
  const values = runs.flatMap(({ entries }) =>
    entries.flatMap((entry) => ('value' in entry ? entry.value.length : 0)),
  );
  return values.reduce((sum, bytes) => sum + bytes, 0);
};

test('a witness keeps no more of its log than a data voter may lack', async () => {
  const storage = memoryLogStorage();
  const { witness } = await start({ storage, witnessRetentionBytes: 256 * 1024 });
  await writeMegabyte();
  await mesh.clock.advance(1000);
  expect(await keptBytes(storage)).toBeLessThan(64 * 1024);
  expect(witness.status.value.problem).toBeUndefined();
  await mesh.kill([...mesh.nodes.values()].indexOf(mesh.leader as TextNode));
  await mesh.clock.until(() => mesh.leader?.status.value.online === true);
  await settled((mesh.leader as TextNode).execute('after'));
});

test('a witness with a pruned log in files restarts, counts, and refuses to begin a group anew', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mosaik-witness-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = (): LogStorage => {
    const storage = fileLogStorage(join(directory, 'log'), { segmentBytes: 64 * 1024 });
    return {
      open: (owner) => storage.open(owner),
      write: (write) => {
        const written = storage.write(write);
        if (!written) return undefined;
        writing.add(written);
        const forget = () => void writing.delete(written);
        written.then(forget, forget);
        return written;
      },
      close: () => storage.close(),
    };
  };
  const { leader, witness: before } = await start({
    storage: file(),
    witnessRetentionBytes: 256 * 1024,
  });
  await writeMegabyte();
  await until(() => before.status.value.committed === leader.status.value.committed);
  const toldMs = mesh.clock.nowMs() + 1000;
  await until(() => mesh.clock.nowMs() >= toldMs);
  await mesh.kill(2);
  const stored = file();
  const owner = { group: 'aa'.repeat(32) as never, member: meshId(2) };
  const { base = 0, snapshot } = (await stored.open(owner)) ?? {};
  await stored.close();
  expect([base > 50, snapshot?.index, snapshot?.chunks]).toEqual([true, base, []]);
  await expect(forceNewGroup({ storage: file(), ...owner })).rejects.toMatchObject({ code: 'not-a-voter' });
  const witness = await mesh.open(2, { preference: 'witness', storage: file() });
  await until(() => witness.status.value.online);
  expect(witness.status.value.problem).toBeUndefined();
  await mesh.kill([...mesh.nodes.values()].indexOf(mesh.leader as TextNode));
  await until(() => mesh.leader?.status.value.online === true);
  await settled((mesh.leader as TextNode).execute('after'));
});

test('beyond its bound a witness says that it is degraded; without the only one that has it nothing is committed', async () => {
  const { leader, witness } = await start({ witnessRetentionBytes: 256 * 1024 });
  const first = [...mesh.nodes.values()].indexOf(leader);
  await mesh.kill(1 - first);
  await writeMegabyte();
  await mesh.clock.until(() => witness.status.value.problem !== undefined);
  expect(witness.status.value.problem).toMatch(/^degraded: this witness keeps witnessRetentionBytes/);
  await mesh.kill(first);
  const behind = await mesh.open(1 - first, { storage: stores[1 - first] as LogStorage });
  await mesh.clock.until(
    () => witness.status.value.problem?.startsWith('degraded: this witness leads') === true,
  );
  await mesh.clock.advance(10_000);
  expect(behind.status.value).toMatchObject({ online: false });
  await mesh.open(first, { storage: stores[first] as LogStorage });
  await mesh.clock.until(() => mesh.leader?.status.value.online === true && behind.status.value.online);
  expect(mesh.leader).not.toBe(witness);
  await settled(behind.execute('after'));
  expect(mesh.machines.get(meshId(1 - first))?.applied).toHaveLength(101);
  await mesh.clock.until(() => witness.status.value.problem === undefined);
});

test('a witness that had to install a snapshot gives up its state once no data voter can need it', async () => {
  const storage = memoryLogStorage();
  const { leader } = await start({ storage, snapshotAfterEntries: 16, retainBytes: 0 });
  await mesh.kill(2);
  for (let i = 0; i < 40; i += 1) await settled(leader.execute(`command ${i}`));
  const witness = await mesh.open(2, { preference: 'witness', storage });
  await mesh.clock.until(() => witness.status.value.committed === leader.status.value.committed);
  const installed = (await storage.open())?.snapshot;
  expect([installed?.chunks.length !== 0, (installed?.index ?? 0) > 20]).toEqual([true, true]);
  await mesh.clock.advance(1000);
  expect((await storage.open())?.snapshot).toMatchObject({
    index: witness.status.value.committed,
    chunks: [],
  });
  await settled(leader.execute('after'));
});
