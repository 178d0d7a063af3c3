import type { Member } from './member.ts';
import type { FaultKind } from './scenario.ts';
import type { World } from './world.ts';

/** Lets things go wrong, one after the other, while the troubles last; what was broken heals by itself after a while. */
export function startFaults(world: World): void {
  const { meanFaultGapMs, faults } = world.scenario;
  if (Object.values(faults).every((weight) => weight === 0)) return;
  const next = () => {
    world.clock.schedule(world.random.waitMs(meanFaultGapMs), () => {
      if (!world.troubled) return;
      happen(world, world.random.weighted(faults));
      next();
    });
  };
  next();
}

function happen(world: World, kind: FaultKind): void {
  const { random, memory, trace, members } = world;
  const up = random.shuffled(members.filter(({ state }) => state === 'up'));
  const [one, other] = up;
  if (!one) return;
  switch (kind) {
    case 'crash':
      crash(world, one);
      return;
    case 'crash-several': {
      const struck = up.slice(0, random.integer(2, Math.max(2, up.length)));
      const backMs = random.waitMs(1500);
      for (const member of struck) crash(world, member, random.chance(0.5) ? backMs : undefined);
      return;
    }
    case 'leave':
      void world.leave(one, keepsDisk(world, one)).then(() => startLater(world, one, random.waitMs(2000)));
      return;
    case 'rejoin':
      void world.rejoin(one, keepsDisk(world, one), random.waitMs(1000));
      return;
  }
  if (!other) return;
  switch (kind) {
    case 'sever':
      if (world.scenario.mode === 'dynamic' && !isSettled(one, other)) return;
      trace.note(`the connections of ${one.name} and ${other.name} are lost`);
      memory.sever(one.address, other.address);
      return;
    case 'slow': {
      const latencyMs = random.between(20, world.scenario.mode === 'voters' ? 800 : 100);
      trace.note(`${one.name} to ${other.name} takes ${latencyMs.toFixed(0)} ms`);
      world.setLatency(one.address, other.address, latencyMs);
      world.clock.schedule(random.waitMs(2000), () => world.setLatency(one.address, other.address, 1));
      return;
    }
    case 'cut-pair':
      cut(world, [[one, other]], false);
      return;
    case 'cut-one-way':
      cut(world, [[one, other]], true);
      return;
    case 'isolate':
      cut(world, pairs([one], members), random.chance(0.2));
      return;
    case 'split': {
      const size = random.integer(1, members.length - 1);
      const shuffled = random.shuffled(members);
      cut(world, pairs(shuffled.slice(0, size), shuffled.slice(size)), false);
      return;
    }
  }
}

function crash(world: World, member: Member, backMs = world.random.waitMs(1500)): void {
  world.crash(member, keepsDisk(world, member));
  startLater(world, member, backMs);
}

/**
 * Dynamic: who is without its bonds for more than an election timeout may rightly force an epoch, and two empty members
 * that lose each other may each found a group (D4, D5). So a connection is lost only once both ends have found each
 * other again, and one of them has a log.
 */
function isSettled(a: Member, b: Member): boolean {
  const knows = (one: Member, other: Member) => one.life?.group.bonds.has(other.id) === true;
  return knows(a, b) && knows(b, a) && a.disk.lastIndex + b.disk.lastIndex > 0;
}

function startLater(world: World, member: Member, delayMs: number): void {
  world.clock.schedule(delayMs, () => void world.start(member));
}

function cut(world: World, ways: readonly (readonly [Member, Member])[], oneWay: boolean): void {
  const { memory, trace, random, clock } = world;
  for (const [a, b] of ways) {
    trace.note(`${a.name} ${oneWay ? '→' : '↔'} ${b.name} is cut`);
    memory.partition(a.address, b.address, { oneWay });
  }
  clock.schedule(random.waitMs(4000), () => {
    for (const [a, b] of ways) {
      trace.note(`${a.name} ↔ ${b.name} is healed`);
      memory.heal(a.address, b.address);
    }
  });
}

function pairs(some: readonly Member[], others: readonly Member[]): [Member, Member][] {
  return some.flatMap((a) => others.filter((b) => b !== a).map((b): [Member, Member] => [a, b]));
}

/**
 * Whether the member's log survives what comes next.
 *
 * Dynamic: never; who comes back is somebody else. Voters: no more of them forget over a run than leave a majority that
 * never did.
 */
function keepsDisk({ scenario, members, random }: World, member: Member): boolean {
  if (scenario.mode === 'dynamic') return false;
  if (!member.voter) return random.chance(0.5);
  const budget = Math.ceil(scenario.voters / 2) - 1;
  const spent = members.filter(({ forgot }) => forgot).length;
  return !(member.forgot || spent < budget) || random.chance(0.6);
}
