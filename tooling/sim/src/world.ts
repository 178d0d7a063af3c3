import { GroupKey } from '@mosaik/groups';
import { Network } from '@mosaik/network';
import { SecretKey } from '@mosaik/transport';
import { MemoryNetwork, memoryTransport } from '@mosaik/transport/memory';
import type { Logger } from '@mosaik/wire/runtime';
import { seededRng, settle, VirtualClock } from '@mosaik/wire/testing';
import { AgreedLog } from './agreed-log.ts';
import { Checks } from './checks.ts';
import { Disk } from './disk.ts';
import { History } from './history.ts';
import { LifeClock } from './life-clock.ts';
import { simMachine } from './machine.ts';
import type { Life, Member, SimGroup } from './member.ts';
import { Random } from './random.ts';
import type { Scenario } from './scenario.ts';
import { Trace } from './trace.ts';
import { Violation } from './violation.ts';

/** Longest that a graceful leave may take. */
const LEAVE_LIMIT_MS = 30_000;
/** Timers that may fire at one moment. */
const MAX_STEPS_AT_ONCE = 20_000;
/** How often calls are looked at that should have settled. */
const SETTLED_EVERY_STEPS = 200;

/** Whole nodes on virtual time, the faults that can happen to them, and everything that watches them. */
export class World {
  readonly scenario: Scenario;
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly memory: MemoryNetwork;
  readonly members: readonly Member[];
  readonly trace: Trace;
  readonly agreed: AgreedLog;
  readonly history: History;
  readonly checks: Checks;
  /** The first invariant that did not hold. */
  violation: Violation | undefined;
  /** Faults happen while this holds. */
  troubled = true;
  /** From here on nobody starts any more. */
  ending = false;
  steps = 0;
  readonly #groupKey: GroupKey;
  /** Milliseconds one way between two members, which faults may change. */
  readonly #latencyMs = new Map<string, number>();
  #dropsLeft: number;
  #lastMs = 0;
  #stepsAtOnce = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.random = new Random(seededRng(BigInt(scenario.seed) * 2n));
    const { random } = this;
    this.memory = new MemoryNetwork({
      clock: this.clock,
      rng: seededRng(random.u64()),
      latencyMs: (from, to) => this.latencyBetween(from, to),
    });
    this.#groupKey = GroupKey.from(random.bytes(32));
    this.#dropsLeft = scenario.planted === 'drop-command' ? 1 : 0;
    this.members = Array.from({ length: scenario.members }, (_, index) => this.#createMember(index));
    const ids = this.members.map(({ id, name }): [string, string] => [id, name]);
    this.trace = new Trace(
      () => this.clock.nowMs(),
      (text) => ids.reduce((named, [id, name]) => named.replaceAll(id, name), text),
    );
    this.agreed = new AgreedLog((entry) => this.history.handleCommitted(entry));
    const report = (invariant: string, state: string) => this.report(invariant, state);
    this.history = new History(this.agreed, report);
    this.checks = new Checks({
      mode: scenario.mode,
      agreed: this.agreed,
      members: this.members,
      report,
      onForgotten: (length) => {
        this.trace.note(`a forced epoch begins without what followed ${length}: nobody holds it any more`);
        this.agreed.truncate(length);
        this.history.handleTruncated(length);
      },
    });
    for (const member of this.members) this.checks.own(member.disk, member);
  }

  get running(): Life[] {
    return this.members.flatMap(({ life }) => (life?.alive ? [life] : []));
  }

  /** The first violation decides: what follows from it is noise. */
  report(invariant: string, state: string): void {
    if (this.violation) return;
    this.trace.note(`VIOLATED ${invariant}: ${state}`);
    this.violation = new Violation(invariant, this.trace.named(state));
  }

  /**
   * Fires the next timer, lets all continuations run, and looks at everything. False when nothing is due by `untilMs`.
   *
   * @throws Violation
   */
  async step(untilMs: number): Promise<boolean> {
    try {
      if (!this.clock.fireNext(untilMs)) return false;
    } catch (error) {
      this.report(
        'no callback throws',
        error instanceof Error ? (error.stack ?? error.message) : String(error),
      );
    }
    await settle();
    if (this.clock.nowMs() > this.#lastMs) this.#stepsAtOnce = 0;
    this.#lastMs = this.clock.nowMs();
    this.#stepsAtOnce += 1;
    if (this.#stepsAtOnce > MAX_STEPS_AT_ONCE)
      this.report('time moves on', `${MAX_STEPS_AT_ONCE} timers fired at ${this.#lastMs} ms`);
    this.#look();
    return true;
  }

  async runUntil(untilMs: number): Promise<void> {
    this.clock.schedule(untilMs - this.clock.nowMs(), () => {});
    while (await this.step(untilMs)) {}
  }

  /** Steps until the condition holds; false when it does not within `limitMs`. */
  async until(condition: () => boolean, limitMs: number): Promise<boolean> {
    const untilMs = this.clock.nowMs() + limitMs;
    await settle();
    this.#look();
    while (!condition()) if (!(await this.step(untilMs))) return condition();
    return true;
  }

  // ---- lives

  async start(member: Member): Promise<void> {
    if (member.state !== 'down' || this.ending) return;
    member.state = 'busy';
    const { scenario, random } = this;
    member.lives += 1;
    const rate = 1 + random.between(-scenario.drift, scenario.drift);
    const clock = new LifeClock(this.clock, rate, random.between(-scenario.maxSkewMs, scenario.maxSkewMs));
    member.clock = clock;
    this.trace.note(`${member.name} starts`);
    const [host, port] = member.address.split(':');
    member.network = await Network.create({
      networkId: 'simulation',
      secretKey: member.secretKey,
      listen: { host: host ?? '', port: Number(port) },
      transport: memoryTransport({ network: this.memory }),
      discovery: {
        bootstrap: this.#knownTo(member).map(({ address }) => address),
      },
      clock,
      rng: seededRng(random.u64()),
      logger: this.#logger(member.name),
    });
    this.#join(member, member.network, clock);
    member.state = 'up';
  }

  /** The process ends without a word. `keepsDisk`: what was synced is there when it starts again. */
  crash(member: Member, keepsDisk: boolean): void {
    const life = this.#lifeToEnd(member);
    const notice = this.random.chance(0.7) ? 'at-once' : 'idle-timeout';
    this.trace.note(`${member.name} crashes (${notice}), ${keepsDisk ? 'keeps its disk' : 'forgets'}`);
    life.alive = false;
    member.clock?.stop();
    this.memory.crash(member.address, { notice });
    this.#abandonCalls(member);
    member.state = 'down';
    member.life = undefined;
    member.network = undefined;
    this.#changeDisk(member, keepsDisk);
  }

  /** The node says goodbye and stops. */
  async leave(member: Member, keepsDisk: boolean): Promise<void> {
    const life = this.#lifeToEnd(member);
    this.trace.note(`${member.name} leaves, ${keepsDisk ? 'keeps its disk' : 'forgets'}`);
    if (!keepsDisk) this.#countForgotten(member);
    member.state = 'busy';
    await this.#within('leaving', member, member.network?.close());
    life.alive = false;
    this.trace.note(`${member.name} has left`);
    member.clock?.stop();
    member.life = undefined;
    member.network = undefined;
    this.#changeDisk(member, keepsDisk);
    member.state = 'down';
  }

  /** The membership ends and begins anew; the node stays. */
  async rejoin(member: Member, keepsDisk: boolean, afterMs: number): Promise<void> {
    const life = this.#lifeToEnd(member);
    const { network, clock } = member;
    this.trace.note(`${member.name} leaves the group, ${keepsDisk ? 'keeps its disk' : 'forgets'}`);
    if (!keepsDisk) this.#countForgotten(member);
    member.state = 'busy';
    await this.#within('leaving the group', member, life.group.close());
    life.alive = false;
    member.life = undefined;
    this.#changeDisk(member, keepsDisk);
    this.clock.schedule(afterMs, () => {
      if (!network || !clock) return;
      this.trace.note(`${member.name} joins again`);
      this.#join(member, network, clock);
      member.state = 'up';
    });
  }

  latencyBetween(from: string, to: string): number {
    const { latencyMs } = this.scenario;
    const key = `${from} ${to}`;
    let base = this.#latencyMs.get(key);
    if (base === undefined) {
      base = this.random.between(latencyMs.min, latencyMs.max);
      this.#latencyMs.set(key, base);
    }
    return base + (latencyMs.jitter > 0 ? this.random.between(0, latencyMs.jitter) : 0);
  }

  setLatency(from: string, to: string, latencyMs: number): void {
    this.#latencyMs.set(`${from} ${to}`, latencyMs);
  }

  // ---- inside

  #createMember(index: number): Member {
    const secretKey = SecretKey.from(this.random.bytes(32));
    return {
      index,
      name: `m${index}`,
      secretKey,
      id: secretKey.id,
      address: `10.0.0.${index + 1}:7400`,
      voter: index < this.scenario.voters,
      state: 'down',
      forgot: false,
      disk: this.#createDisk(),
      clock: undefined,
      network: undefined,
      life: undefined,
      lives: 0,
    };
  }

  #knownTo({ index }: Member): Member[] {
    const { bootstrap, members } = this.scenario;
    return this.members.filter((other) =>
      bootstrap === 'all' ? other.index !== index : members > 1 && other.index === (index + 1) % members,
    );
  }

  #createDisk(): Disk {
    return new Disk(
      {
        handleWrite: (disk, write) => this.checks.handleWrite(disk, write),
        entriesUpTo: (index) => this.agreed.upTo(index),
      },
      this.scenario.planted === 'lying-disk',
    );
  }

  #join(member: Member, network: Network, clock: LifeClock): void {
    const { scenario, random } = this;
    const { disk } = member;
    const fsyncMs = () => (scenario.maxFsyncMs > 0 ? random.between(0, scenario.maxFsyncMs) : 0);
    const machine = simMachine({
      handleApply: (command, context) => {
        if (!life.alive) return;
        this.checks.handleApply(life, command, context);
        this.trace.note(`${life.name} applies ${context.index} op ${command.op}`);
      },
      handleReset: () => {
        this.trace.note(`${life.name} resets its machine`);
        life.applied = 0;
      },
      handleRestore: (index) => {
        this.trace.note(`${life.name} restores its machine to ${index}`);
        life.applied = index;
      },
      drops: () => {
        if (this.#dropsLeft === 0 || member.index !== 0 || this.agreed.length < 20) return false;
        this.#dropsLeft -= 1;
        return true;
      },
    });
    const voters = this.members.filter(({ voter }) => voter).map(({ id }) => id);
    const builder = network.groups
      .withKey(this.#groupKey)
      .withStateMachine(machine)
      .withLogStorage(disk.mount(clock, fsyncMs))
      .withPreference(scenario.preferences[member.index] ?? 'normal')
      .withConsensus({ ...scenario.config, quorum: scenario.mode === 'voters' ? { voters } : 'dynamic' });
    if (scenario.compaction) builder.withCompaction(scenario.compaction);
    const group: SimGroup = builder.join();
    const life: Life = {
      name: `${member.name}.${member.lives}`,
      member,
      disk,
      group,
      alive: true,
      applied: 0,
      seen: undefined,
    };
    member.life = life;
    let told = '';
    group.status.subscribe(({ state, role, term, leader, online, committed, logPosition }) => {
      if (!life.alive) return;
      const now = `${state} ${role} term ${term} leader ${leader ?? '-'} ${online ? 'online' : 'offline'}`;
      if (now === told) return;
      told = now;
      this.trace.note(`${life.name} ${now} committed ${committed} last ${logPosition.index}`);
    });
  }

  #lifeToEnd({ name, state, life }: Member): Life {
    if (!life || state !== 'up') throw new Error(`${name} does not run`);
    return life;
  }

  #abandonCalls(member: Member): void {
    for (const operation of this.history.pending)
      if (operation.member === member.name) this.history.abandon(operation);
  }

  /** When it begins to leave already: others are spared from then on. */
  #countForgotten(member: Member): void {
    if (this.scenario.mode === 'voters' && member.voter && member.disk.hardState) member.forgot = true;
  }

  #changeDisk(member: Member, kept: boolean): void {
    member.disk.crash();
    if (kept) {
      if (this.scenario.planted === 'forgotten-vote') member.disk.forget();
      return;
    }
    this.#countForgotten(member);
    member.disk = this.#createDisk();
    this.checks.own(member.disk, member);
  }

  async #within(what: string, member: Member, promise: Promise<void> | undefined): Promise<void> {
    const deadline = this.clock.schedule(LEAVE_LIMIT_MS, () =>
      this.report('a graceful leave ends', `${member.name}: ${what} takes more than ${LEAVE_LIMIT_MS} ms`),
    );
    await promise;
    deadline.cancel();
  }

  #look(): void {
    this.steps += 1;
    for (const { life } of this.members)
      if (life?.alive) this.checks.handleStatus(life, life.group.status.value);
    if (this.steps % SETTLED_EVERY_STEPS === 0) this.history.assertSettled(this.clock.nowMs());
    if (this.violation) throw this.violation;
  }

  #logger(name: string): Logger {
    const note = (level: string) => (fields: object, message: string) => {
      this.trace.note(`${name} ${level}: ${message} ${describeFields(fields)}`);
    };
    return { debug() {}, info: note('info'), warn: note('warn'), error: note('error') };
  }
}

function describeFields(fields: object): string {
  return Object.entries(fields)
    .map(
      ([key, value]) =>
        `${key}=${value instanceof Error ? `${value.name}: ${value.message}` : String(value)}`,
    )
    .join(' ');
}
