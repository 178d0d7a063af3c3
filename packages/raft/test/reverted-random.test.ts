import { type CompactionOptions, RaftError, type Reverted } from '@mosaik/raft';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, test } from 'vitest';
import { Mesh, meshId, type TextNode, textMachine } from './support/mesh.ts';

const FIRST = Number(process.env.SIM_SEED ?? 1);
const RUNS = Number(process.env.SIM_RUNS ?? 12);
const MEMBERS = [0, 1, 2, 3];
const SMALL: CompactionOptions = { snapshotAfterEntries: 16, retainBytes: 400, revertHorizonBytes: 400 };

/** One process of a member: what its machine ever applied, and what it said is gone. */
interface Life {
  readonly index: number;
  readonly machine: ReturnType<typeof textMachine>;
  readonly ever: Set<string>;
  readonly events: Reverted<string>[];
}

/**
 * A group whose set follows the bonds, cut in two again and again while commands are on their way, so that callers send
 * theirs once more on the other side; members that end and begin anew; keys that come to several members. Each text is a
 * command of its own.
 */
async function run(seed: number): Promise<{ told: number; left: number }> {
  const rng = seededRng(seed);
  const int = (below: number) => Math.floor(rng.float() * below);
  const mesh = new Mesh(
    { bootstrapDelayMs: 100, heartbeatIntervalMs: 50, electionTimeoutMs: 300, forwardTimeoutMs: 200 },
    seed,
  );
  const compaction = seed % 2 === 0 ? SMALL : undefined;
  const lives = new Map<number, Life>();
  /** Listed as lost by a member that has it. */
  const wrong: string[] = [];
  let told = 0;
  let sent = 0;
  let waiting = 0;

  const begin = async (index: number) => {
    const machine = textMachine();
    const { apply } = machine;
    const life: Life = { index, machine, ever: new Set(), events: [] };
    machine.apply = (text, context) => {
      life.ever.add(text);
      return apply(text, context);
    };
    lives.set(index, life);
    const handleReverted = (event: Reverted<string>) => {
      told += 1;
      life.events.push(event);
      const listed = event.commands.map(({ command }) => command);
      const there = new Set(machine.applied);
      if (event.compared) wrong.push(...listed.filter((text) => there.has(text)));
      if (new Set(listed).size < listed.length) wrong.push(`twice: ${listed.join()}`);
    };
    await mesh.open(index, { machine, handleReverted, ...(compaction ? { compaction } : {}) });
  };
  /** Whatever its machine applied is there, or it was told that it is gone. */
  const expectTold = ({ machine, ever, events }: Life) => {
    if (events.some(({ complete }) => !complete)) return;
    const known = new Set(machine.applied);
    for (const { commands } of events) for (const { command } of commands) known.add(command);
    expect([...ever].filter((text) => !known.has(text))).toEqual([]);
  };
  const call = (node: TextNode, text: string, idempotencyKey?: string) => {
    waiting += 1;
    node
      .execute(text, { timeoutMs: 5000, ...(idempotencyKey ? { idempotencyKey } : {}) })
      .catch((error: unknown) => {
        if (!(error instanceof RaftError)) throw error;
      })
      .finally(() => {
        waiting -= 1;
      });
  };
  const write = () => {
    for (const node of mesh.nodes.values()) for (let i = int(3); i > 0; i -= 1) call(node, `${sent++}`);
    if (rng.float() > 0.3) return;
    const text = `${sent++}`;
    for (const node of mesh.nodes.values()) if (rng.float() < 0.5) call(node, text, text);
  };
  /** What is on its way arrives, and its answer does not. */
  const split = async () => {
    const side = MEMBERS.filter(() => rng.float() < 0.5);
    const pairs = side.flatMap((a) => MEMBERS.filter((b) => !side.includes(b)).map((b) => [a, b] as const));
    write();
    await mesh.clock.advance(rng.float() * 0.3);
    for (const [a, b] of pairs) mesh.silence(a, b);
    await mesh.clock.advance(0.2);
    for (const [a, b] of pairs) mesh.part(a, b);
  };

  for (const index of MEMBERS) await begin(index);
  await mesh.online();
  for (let step = 0; step < 60; step += 1) {
    write();
    const dice = rng.float();
    if (dice < 0.05) {
      const index = int(MEMBERS.length);
      const life = lives.get(index);
      if (life && mesh.nodes.size === MEMBERS.length) {
        // Else its machine may still wait for what it had before.
        const { online } = mesh.nodes.get(meshId(index))?.status.value ?? {};
        lives.delete(index);
        await mesh.kill(index);
        if (online) expectTold(life);
      } else if (!life) await begin(index);
    } else if (dice < 0.3) await split();
    else if (dice < 0.5) mesh.heal();
    await mesh.clock.advance(rng.float() < 0.4 ? int(3000) : int(30));
  }
  mesh.heal();
  for (const index of MEMBERS) if (!lives.has(index)) await begin(index);
  await mesh.online(MEMBERS.length);
  await mesh.clock.advance(10_000);
  expect(waiting).toBe(0);
  expect(wrong).toEqual([]);
  const final = lives.get(0)?.machine.applied ?? [];
  expect(new Set(final).size).toBe(final.length);
  for (const life of lives.values()) {
    expect(life.machine.applied).toEqual(final);
    expectTold(life);
  }
  await mesh.close();
  return { told, left: final.length };
}

describe('what was applied and is gone was reported, and nothing that is there (consensus D8)', () => {
  test.each(Array.from({ length: RUNS }, (_, i) => FIRST + i))(
    'SIM_RUNS=1 SIM_SEED=%i pnpm vitest run packages/raft/test/reverted-random.test.ts',
    async (seed) => {
      const { told, left } = await run(seed);
      expect([told > 0, left > 20]).toEqual([true, true]);
    },
  );
});
