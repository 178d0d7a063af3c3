import { type LogStorage, memoryLogStorage, RaftError } from '@mosaik/raft';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, test } from 'vitest';
import { Mesh, meshId, type TextNode } from './support/mesh.ts';

const FIRST = Number(process.env.SIM_SEED ?? 1);
const RUNS = Number(process.env.SIM_RUNS ?? 12);

/**
 * Three voters whose stores are kept; crashes, cuts, changes of leader and forwarded commands that come twice; callers at every
 * member. Each text is a command of its own.
 */
async function run(seed: number): Promise<number> {
  const rng = seededRng(seed);
  const int = (below: number) => Math.floor(rng.float() * below);
  const voters = [0, 1, 2].map(meshId);
  const mesh = new Mesh({
    bootstrapDelayMs: 100,
    heartbeatIntervalMs: 50,
    electionTimeoutMs: 300,
    forwardTimeoutMs: 200,
    quorum: { voters },
  });
  const stores: LogStorage[] = voters.map(() => memoryLogStorage());
  for (const index of [0, 1, 2]) await mesh.open(index, { storage: stores[index] as LogStorage });
  await mesh.online();
  mesh.repeats = 0.1;
  const done = new Map<string, number>();
  const refused = new Set<string>();
  let sent = 0;
  const call = (node: TextNode) => {
    const texts = Array.from({ length: rng.float() < 0.2 ? 1 + int(4) : 1 }, () => `${sent++}`);
    const timeoutMs = rng.float() < 0.1 ? 5 + int(300) : 5000;
    const keyed = texts.length === 1 && rng.float() < 0.2 ? { idempotencyKey: `${texts[0]}` } : {};
    const answer =
      texts.length === 1
        ? node.execute(texts[0] as string, { timeoutMs, ...keyed }).then(({ index }) => index)
        : node.executeMany(texts, { timeoutMs }).then(({ from }) => from);
    answer.then(
      (from) => {
        for (const [i, text] of texts.entries()) done.set(text, from + i);
      },
      (error: unknown) => {
        if (!(error instanceof RaftError)) throw error;
        if (error.code !== 'unknown-outcome') for (const text of texts) refused.add(text);
      },
    );
  };
  for (let step = 0; step < 60; step += 1) {
    for (const node of mesh.nodes.values()) for (let i = int(6); i > 0; i -= 1) call(node);
    const [a, b] = [int(3), int(3)];
    const node = mesh.nodes.get(meshId(a));
    const dice = rng.float();
    if (dice < 0.08) {
      // Whoever starts is bonded with everybody: so nothing may be cut then.
      mesh.heal();
      if (node && mesh.nodes.size === 3) await mesh.kill(a);
      else if (!node) await mesh.open(a, { storage: stores[a] as LogStorage });
    } else if (dice < 0.2) mesh.part(a, b);
    else if (dice < 0.4) mesh.heal();
    else if (dice < 0.58) void node?.transferLeadership(undefined).catch(() => {});
    await mesh.clock.advance(rng.float() < 0.2 ? int(600) : int(30));
  }
  mesh.repeats = 0;
  mesh.heal();
  for (const index of [0, 1, 2]) {
    if (!mesh.nodes.has(meshId(index))) await mesh.open(index, { storage: stores[index] as LogStorage });
  }
  await mesh.online(3);
  await mesh.clock.advance(10_000);
  const [first] = [...mesh.nodes.keys()].map((id) => mesh.machines.get(id)?.applied ?? []);
  for (const id of mesh.nodes.keys()) {
    const applied = mesh.machines.get(id)?.applied ?? [];
    expect(applied).toEqual(first);
    expect(new Set(applied).size).toBe(applied.length);
  }
  const applied = new Set(first);
  expect([...done.keys()].filter((text) => !applied.has(text))).toEqual([]);
  expect([...refused].filter((text) => applied.has(text))).toEqual([]);
  // An index stands for one command.
  expect(new Set(done.values()).size).toBe(done.size);
  await mesh.close();
  return done.size;
}

describe('each sequence of a session is applied at most once, and what was answered is there', () => {
  test.each(Array.from({ length: RUNS }, (_, i) => FIRST + i))(
    'SIM_RUNS=1 SIM_SEED=%i pnpm vitest run packages/raft/test/sessions-random.test.ts',
    async (seed) => {
      expect(await run(seed)).toBeGreaterThan(20);
    },
  );
});
