import { GroupError, type KeyValueCommand } from '@mosaik/groups';
import type { Operation, OperationKind } from './history.ts';
import type { SimCommand } from './machine.ts';
import type { Life } from './member.ts';
import type { World } from './world.ts';

const KEYS = ['a', 'b', 'c', 'd'];
/** A call may settle this much after its timeout: clocks drift, and a turn takes its time. */
const GRACE_MS = 500;

const weights: Record<OperationKind, number> = {
  execute: 50,
  executeMany: 8,
  feed: 6,
  feedMany: 3,
  weak: 12,
  strong: 25,
};

/** Starts the clients of the scenario: each makes one call after the other while the troubles last. */
export function startClients(world: World): void {
  const { clients, meanThinkMs } = world.scenario;
  for (let i = 0; i < clients; i += 1) {
    const next = () => {
      world.clock.schedule(world.random.waitMs(meanThinkMs), () => {
        if (!world.troubled) return;
        const lives = world.running.filter(({ member }) => member.state === 'up');
        if (lives.length === 0) return next();
        const kind = world.random.weighted(weights);
        // A client that crashed with its member is followed by another.
        let gone = false;
        const goOn = () => {
          if (!gone) next();
          gone = true;
          giveUp.cancel();
        };
        const giveUp = world.clock.schedule(10_000, goOn);
        void call(world, world.random.pick(lives), kind).then(goOn);
      });
    };
    next();
  }
}

/** One call, recorded; resolves when it settled, however it did. */
export async function call(
  world: World,
  life: Life,
  kind: OperationKind,
  timeoutMs = world.random.pick([300, 1000, 3000, 5000]),
): Promise<Operation> {
  const { random, history, clock, trace } = world;
  const { member, group } = life;
  const writes = kind !== 'weak' && kind !== 'strong';
  const many = kind === 'executeMany' || kind === 'feedMany';
  const commands = writes ? createCommands(world, many ? random.integer(1, 5) : 1) : [];
  const key = random.pick(KEYS);
  const deadlineMs = clock.nowMs() + timeoutMs * 1.05 + GRACE_MS;
  const operation = history.begin({ kind, member: member.name, commands, key, deadlineMs });
  const numbers = commands.map(({ op }) => op).join(',') || key;
  trace.note(`${life.name} < ${kind} ${numbers}`);
  const [first] = commands;
  try {
    if (kind === 'weak' || kind === 'strong' || !first) await read(world, life, operation, timeoutMs);
    else if (kind === 'execute') {
      const { index, output } = await group.execute(first, { timeoutMs });
      if (life.alive) history.completeWrite(operation, index, [output]);
    } else if (kind === 'executeMany') {
      const { from, outputs } = await group.executeMany(commands, { timeoutMs });
      if (life.alive) history.completeWrite(operation, from, outputs);
    } else if (kind === 'feed') {
      const index = await group.feed(first, { timeoutMs });
      if (life.alive) history.completeFeed(operation, index);
    } else {
      const { from } = await group.feedMany(commands, { timeoutMs });
      if (life.alive) history.completeFeed(operation, from);
    }
    trace.note(`${life.name} > ${kind} ${numbers} ${operation.state} ${operation.from ?? ''}`);
  } catch (error) {
    if (!life.alive) history.abandon(operation);
    else if (error instanceof GroupError) history.fail(operation, error.code);
    else world.report('calls reject with a GroupError', `${kind} rejected with ${String(error)}`);
    trace.note(
      `${life.name} > ${kind} ${numbers} ${error instanceof GroupError ? error.code : String(error)}`,
    );
    if (world.scenario.planted === 'retry-after-failure' && first && error instanceof GroupError)
      world.running
        .at(0)
        ?.group.feed(first, { timeoutMs })
        .catch(() => {});
  }
  return operation;
}

async function read(
  { history, checks, agreed, scenario, random }: World,
  life: Life,
  operation: Operation,
  timeoutMs: number,
): Promise<void> {
  const { key, kind } = operation;
  const consistency = kind === 'strong' && scenario.planted !== 'local-strong-reads' ? 'strong' : 'weak';
  const minIndex = kind === 'weak' && random.chance(0.3) ? agreed.length : undefined;
  const answer = await life.group.query(
    { type: 'Get', key },
    { consistency, timeoutMs, ...(minIndex === undefined ? {} : { minIndex }) },
  );
  if (!life.alive) return history.abandon(operation);
  const { result, index } = answer;
  const value = result.type === 'Entry' ? result.value : undefined;
  const writer = value && Number(new TextDecoder().decode(value.value));
  checks.handleRead(life, index);
  history.completeRead(operation, { index, writer, minIndex });
}

function createCommands({ random, history, agreed, scenario }: World, count: number): SimCommand[] {
  return Array.from({ length: count }, () => {
    const op = history.nextOp();
    const key = random.pick(KEYS);
    const expected = random.chance(0.3) ? agreed.lastChange(key, agreed.length) : undefined;
    // Trailing blanks do not change the number that a reader finds.
    const length = random.chance(scenario.largeValues) ? random.integer(1_000, 200_000) : 0;
    const value = new TextEncoder().encode(String(op).padEnd(length));
    const command: KeyValueCommand = random.chance(0.15)
      ? { type: 'Delete', key, expected }
      : { type: 'Put', key, value, expected };
    return { op, command };
  });
}
