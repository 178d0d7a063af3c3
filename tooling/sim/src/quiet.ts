import { Alpn } from '@mosaik/wire';
import { call } from './clients.ts';
import type { Life } from './member.ts';
import type { World } from './world.ts';

/** How long after the last fault a group may take to be whole again: heartbeats, redials and elections have their time. */
const WHOLE_WITHIN_MS = 60_000;
/** How long a write may take once it is whole. */
const WRITE_WITHIN_MS = 10_000;
/** How long all nodes may take to close. */
const CLOSE_WITHIN_MS = 30_000;
/** How long timers may remain when everything is closed. */
const SILENT_WITHIN_MS = 120_000;

/** No more faults: everything that runs must find together again, agree, and serve. */
export async function quiet(world: World): Promise<void> {
  const { memory, trace, members } = world;
  world.troubled = false;
  trace.note('the troubles end');
  memory.heal();
  for (const a of members) for (const b of members) world.setLatency(a.address, b.address, 1);
  for (const member of members) if (member.state === 'down' && returns(world)) void world.start(member);

  await expectSoon(world, 'after quiet the group is whole', WHOLE_WITHIN_MS, () => whatIsMissing(world));
  trace.note('the group is whole');
  await writeEverywhere(world);
  await expectSoon(world, 'after quiet all members hold the same', WRITE_WITHIN_MS, () => [
    ...whatIsMissing(world),
    ...whatDiffers(world),
  ]);
  world.history.assertFinal();
  if (world.violation) throw world.violation;
  await closeAll(world);
}

/** In voters mode everybody has to come back; elsewhere somebody may stay away, but not all. */
function returns({ scenario, members, random }: World): boolean {
  if (scenario.mode === 'voters') return true;
  return members.every(({ state }) => state === 'down') || random.chance(0.9);
}

/** What keeps the group from being whole; empty when it is. */
function whatIsMissing(world: World): string[] {
  const missing: string[] = [];
  const { members, running, history, memory, scenario } = world;
  if (running.length === 0) missing.push('nobody runs');
  if (history.pending.size > 0) missing.push(`${history.pending.size} calls have not settled`);
  for (const { name, state } of members) if (state === 'busy') missing.push(`${name} is on its way`);
  const leaders = new Set(running.map(({ group }) => group.leader));
  if (leaders.size !== 1) missing.push(`the leaders are ${[...leaders].join(' and ')}`);
  const edges = (running.length * (running.length - 1)) / 2;
  for (const life of running) {
    const { group, name } = life;
    const others = running.filter((other) => other !== life);
    if (!group.online) missing.push(`${name} is not online (${group.status.value.problem ?? group.role})`);
    const unbonded = others.filter(({ member }) => !group.bonds.has(member.id));
    if (unbonded.length > 0)
      missing.push(`${name} has no bond with ${unbonded.map((other) => other.name).join(' ')}`);
    if (group.bonds.size !== others.length)
      missing.push(`${name} has ${group.bonds.size} bonds, ${others.length} others run`);
    if (group.bonds.topology.length !== edges)
      missing.push(`${name} knows ${group.bonds.topology.length} bonds of ${edges}`);
    const connections = [...(memory.endpointAt(life.member.address)?.connections ?? [])];
    const open = connections.filter(({ alpn, ended }) => alpn === Alpn.groups && !ended).length;
    if (open !== others.length) missing.push(`${name} has ${open} connections for ${others.length} bonds`);
  }
  if (scenario.mode === 'dynamic' && missing.length === 0) {
    missing.push(...whatViewsLack(running));
  }
  return missing;
}

/** Dynamic: one view of all bonded members. */
function whatViewsLack(running: readonly Life[]): string[] {
  const ids = running.map(({ member }) => member.id).sort();
  return running.flatMap(({ name, group }) => {
    const view = [...group.status.value.members].sort();
    return view.join() === ids.join() ? [] : [`the view of ${name} is ${view.join(' ')}`];
  });
}

/** How the members' states differ from what was agreed. */
function whatDiffers({ running, agreed }: World): string[] {
  return running.flatMap(({ name, group, disk }) => {
    const { applied, committed } = group.status.value;
    const differences: string[] = [];
    if (applied !== agreed.length || committed !== agreed.length)
      differences.push(`${name} applied ${applied} and committed ${committed} of ${agreed.length}`);
    if (disk.lastIndex !== agreed.length)
      differences.push(`${name} has ${disk.lastIndex} of ${agreed.length} entries`);
    return differences;
  });
}

/** A write through every member succeeds, and every member then reads the same state. */
async function writeEverywhere(world: World): Promise<void> {
  for (const life of world.running) {
    for (const kind of ['execute', 'strong'] as const) {
      const operation = await settled(world, call(world, life, kind, WRITE_WITHIN_MS), 2 * WRITE_WITHIN_MS);
      if (operation?.state !== 'done')
        world.report(
          'a whole group serves through every member',
          `${kind} at ${life.name} ended as ${operation?.state ?? 'pending'}`,
        );
    }
    if (world.violation) throw world.violation;
  }
  const { agreed } = world;
  for (const { group, name } of world.running) {
    const answer = await settled(
      world,
      group.query(
        { type: 'Digest' },
        { consistency: 'weak', minIndex: agreed.length, timeoutMs: WRITE_WITHIN_MS },
      ),
      2 * WRITE_WITHIN_MS,
    );
    const digest = answer?.result.type === 'Digest' ? answer.result.digest : undefined;
    if (digest !== agreed.digest())
      world.report(
        'equal logs give equal states',
        `the state of ${name} is ${digest}, the log gives ${agreed.digest()}`,
      );
  }
  if (world.violation) throw world.violation;
}

async function closeAll(world: World): Promise<void> {
  world.ending = true;
  for (const { life, state } of world.members)
    if (life && state === 'up') void world.leave(life.member, true);
  await expectSoon(world, 'closing ends', CLOSE_WITHIN_MS, () =>
    world.members.filter(({ state }) => state !== 'down').map(({ name }) => `${name} still closes`),
  );
  const untilMs = world.clock.nowMs() + SILENT_WITHIN_MS;
  while (await world.step(untilMs)) {}
  if (world.clock.nextDueMs() !== undefined)
    world.report(
      'nothing is left running when all nodes are closed',
      `a timer is due at ${world.clock.nextDueMs()}`,
    );
  if (world.violation) throw world.violation;
}

async function expectSoon(
  world: World,
  invariant: string,
  withinMs: number,
  missing: () => string[],
): Promise<void> {
  if (await world.until(() => missing().length === 0, withinMs)) return;
  world.report(invariant, `after ${withinMs} ms: ${missing().join('; ')}`);
  if (world.violation) throw world.violation;
}

/** The promise's value; undefined when it rejects, or does not settle in time. */
async function settled<T>(world: World, promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  let done = false;
  let value: T | undefined;
  promise.then(
    (result) => {
      done = true;
      value = result;
    },
    () => {
      done = true;
    },
  );
  await world.until(() => done, limitMs);
  return value;
}
