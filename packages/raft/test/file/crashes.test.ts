import { type LogStorage, type LogWrite, memoryLogStorage, type StoredLog } from '@mosaik/raft';
import type { Rng } from '@mosaik/wire/runtime';
import { seededRng } from '@mosaik/wire/testing';
import { expect, test } from 'vitest';
import { FakeDisk } from './fake-disk.ts';
import { command, epoch, logOn } from './support.ts';

const RUNS = Number(process.env.STORE_RUNS ?? 60);
const SEED = Number(process.env.STORE_SEED ?? 1);

type Draft = { -readonly [K in keyof LogWrite]: LogWrite[K] };

/** What the next write builds on. */
interface Position {
  term: number;
  base: number;
  last: number;
}

/** A write as a core could make it, after which the log is at `at`. */
function nextWrite(rng: Rng, at: Position): LogWrite {
  const int = (below: number) => Math.floor(rng.float() * below);
  const chance = (share: number) => rng.float() < share;
  const write: Draft = {};
  if (at.term === 0 || chance(0.2)) {
    at.term += at.term === 0 ? 1 : int(2);
    const hardState = { incarnation: 9n, term: at.term };
    write.hardState = chance(0.5) ? { ...hardState, vote: epoch(at.term) } : hardState;
  }
  if (chance(0.15)) write.truncateTo = at.last = at.base + int(at.last - at.base + 1);
  if (chance(0.02)) {
    write.reset = true;
    at.base = at.last = 0;
  }
  const installed = chance(0.03);
  const index = installed ? at.last + 1 + int(5) : at.base + int(at.last - at.base + 1);
  if (installed || (index > 0 && chance(0.1))) {
    const chunks = Array.from({ length: int(3) }, () => new Uint8Array(int(2000)).fill(int(256)));
    write.snapshot = { index, epoch: epoch(at.term), envelope: Uint8Array.of(int(256)), chunks };
    write.compactTo = installed ? index : at.base + int(index - at.base + 1);
    if (installed && chance(0.5)) write.reset = true;
    else if (installed) write.truncateTo = 0;
    if (installed) at.last = index;
    at.base = write.compactTo;
  }
  if (chance(0.8)) {
    const texts = Array.from({ length: 1 + int(4) }, (_, i) => `${at.last + i + 1}${'z'.repeat(int(900))}`);
    write.append = [{ epoch: epoch(at.term), entries: texts.map(command) }];
    at.last += texts.length;
  }
  return write;
}

/** What a store holds, as text: how entries are grouped is not part of it. */
function describeStored(stored: StoredLog | undefined): string {
  const entries = stored?.runs.flatMap(({ epoch, entries }) => entries.map((entry) => [epoch, entry]));
  return JSON.stringify([stored?.hardState, stored?.base, stored?.snapshot, entries], (_, value) =>
    typeof value === 'bigint'
      ? `${value}n`
      : value instanceof Uint8Array
        ? Buffer.from(value).toString('hex')
        : value,
  );
}

/** What a store that never fails holds after each number of writes. */
async function statesAfter(writes: readonly LogWrite[]): Promise<string[]> {
  const memory = memoryLogStorage();
  const states = [describeStored(await memory.open())];
  for (const write of writes) {
    memory.write(write);
    states.push(describeStored(await memory.open()));
  }
  return states;
}

function positionOf(stored: StoredLog | undefined): Position {
  if (!stored) return { term: 0, base: 0, last: 0 };
  const entries = stored.runs.reduce((sum, run) => sum + run.entries.length, 0);
  return { term: stored.hardState.term, base: stored.base, last: stored.base + entries };
}

/** Writes until the disk fails; gives how many of `writes` were acknowledged. */
async function writeUntilItFails(
  storage: LogStorage,
  rng: Rng,
  stored: StoredLog | undefined,
  writes: LogWrite[],
): Promise<number> {
  const position = positionOf(stored);
  let acknowledged = writes.length;
  const pending: Promise<void>[] = [];
  for (let left = 1 + Math.floor(rng.float() * 60); left > 0; left -= 1) {
    const write = nextWrite(rng, position);
    writes.push(write);
    const done = Promise.resolve(storage.write(write)).then(
      () => {
        acknowledged += 1;
      },
      () => {},
    );
    pending.push(done);
    if (rng.float() < 0.5) await done;
  }
  await Promise.all(pending);
  return acknowledged;
}

async function run(seed: number): Promise<void> {
  const rng = seededRng(seed);
  const disk = new FakeDisk();
  const writes: LogWrite[] = [];
  let acknowledged = 0;
  for (let life = 0; life < 5; life += 1) {
    let left = Math.floor(rng.float() * 120);
    disk.onOperation = ({ bytes = 0 }) => {
      left -= 1;
      return left < 0 ? { code: 'ECRASHED', bytes: Math.floor(rng.float() * bytes) } : undefined;
    };
    const storage = logOn(disk);
    const opened = await storage.open().then(
      (stored) => ({ stored }),
      (error: Error) => {
        if (!error.message.includes('ECRASHED')) throw error;
        return undefined;
      },
    );
    if (opened) {
      const at = (await statesAfter(writes)).lastIndexOf(describeStored(opened.stored));
      const found = `seed ${seed}, life ${life}: ${acknowledged} of ${writes.length} acknowledged, found`;
      if (at < acknowledged) throw new Error(`${found} ${at < 0 ? describeStored(opened.stored) : at}`);
      writes.length = at;
      acknowledged = await writeUntilItFails(storage, rng, opened.stored, writes);
    }
    await storage.close().catch(() => {});
    const share = rng.float();
    disk.crash(() => rng.float() < share);
  }
}

test(`a crash at any moment leaves what some number of writes left, none fewer than were acknowledged (${RUNS} runs)`, {
  timeout: 600_000,
}, async () => {
  for (let seed = SEED; seed < SEED + RUNS; seed += 1) {
    await run(seed).catch((cause: unknown) => {
      throw new Error(
        `rerun with STORE_SEED=${seed} STORE_RUNS=1 pnpm vitest run packages/raft/test/file/crashes.test.ts`,
        { cause },
      );
    });
  }
});

test('the oracle notices a write that is gone', async () => {
  const states = await statesAfter([
    { hardState: { incarnation: 1n, term: 1 } },
    { append: [{ epoch: epoch(1), entries: [command('a')] }] },
  ]);
  expect(new Set(states).size).toBe(3);
});
