/*
 * The simulation by role, and where something new goes:
 *
 * - a new effect of the core: a case in `effects.ts`, which stands for the driver;
 * - a new thing that a member keeps in memory, or on its disk: a field in `sim-node.ts` (reset in `beginLife`), or in
 *   `store.ts`;
 * - a new operation of clients or operators: an entry of `OPERATIONS` in `workload.ts`;
 * - a new fault: an entry of `FAULTS` in `faults.ts`, or of `MOVES` in `duel.ts` if it is against a leader;
 * - a new invariant: a file in `invariants/` and an entry of `INVARIANTS` in `checker.ts`; it hooks what it needs to see;
 * - what must hold after quiet: `agrees` in `scenario.ts`, or `handleQuiet` of an invariant;
 * - a new way to carry or lose messages: `network.ts`; to pass time: `timeline.ts`.
 *
 * Every draw comes from `cluster.rng`, so that a seed decides everything. Then plant the bug that it is to find: an entry
 * of the mutations (see `planted.test.ts`).
 */
import { type ConsensusOptions, consensus } from '@mosaik/raft';
import type { RaftRequest } from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import { type CoreConfig, DEFAULT_LIMITS } from '../../src/core/config.ts';
import type { Effect } from '../../src/core/effect.ts';
import type { Input } from '../../src/core/input.ts';
import { RaftCore } from '../../src/core/raft-core.ts';
import { Checker } from './checker.ts';
import { executeEffect } from './effects.ts';
import { fastRng } from './fast-rng.ts';
import { type Network, SimNetwork } from './network.ts';
import { beginLife, type Call, createNode, describeNode, NO_SESSION, type SimNode } from './sim-node.ts';
import { restoreSnapshot } from './snapshots.ts';
import { SimStore } from './store.ts';
import { Timeline } from './timeline.ts';

export { nameOf, peerId, type SimNode } from './sim-node.ts';

export interface ClusterInit {
  readonly seed: number | bigint;
  readonly size: number;
  readonly mode: 'dynamic' | 'voters';
  readonly options?: ConsensusOptions | undefined;
  readonly observers?: readonly number[] | undefined;
  /** Voters mode: the last one has no state machine. */
  readonly witness?: boolean | undefined;
  /** Largest delay of a message and of a durable write, ms. */
  readonly maxDelayMs?: number | undefined;
  readonly maxSyncMs?: number | undefined;
  /** How far clocks run from true time, at most: 0.01 is one percent. */
  readonly drift?: number | undefined;
  /** How far wall clocks are off, at most. */
  readonly maxSkewMs?: number | undefined;
  /** Default: bonds that both ends see alike. */
  readonly createNetwork?: ((cluster: Cluster) => Network) | undefined;
  /** Every member takes a snapshot at every index that this divides; none where it is absent. */
  readonly snapshotEvery?: number | undefined;
  /** Some commands are of sessions, and sent more than once. */
  readonly sessions?: boolean | undefined;
  /** Changes what a core does, to show that the checker notices. */
  readonly sabotage?: ((core: RaftCore, node: SimNode) => void) | undefined;
  readonly mangle?: ((effects: readonly Effect[], node: SimNode) => readonly Effect[]) | undefined;
}

const ENCODER = new TextEncoder();

/** Several cores, a network of bonds between them, and a checker that looks at every step. */
export class Cluster extends Timeline {
  readonly rng: Rng;
  readonly nodes: readonly SimNode[];
  readonly network: Network;
  readonly checker: Checker;
  readonly init: ClusterInit;
  readonly config: ReturnType<typeof consensus>;
  acked = 0;
  /** Snapshots of others that took the place of a log. */
  installed = 0;
  /** Prints what the cores say. */
  readonly verbose = process.env.SIM_LOG !== undefined;

  constructor(init: ClusterInit) {
    super();
    this.init = init;
    this.rng = fastRng(init.seed);
    this.nodes = Array.from({ length: init.size }, (_, index) => createNode(index));
    const ids = this.nodes.map(({ id }) => id);
    const witnesses = init.witness ? ids.splice(-1) : [];
    this.config = consensus({
      heartbeatIntervalMs: 100,
      heartbeatJitterMs: 30,
      electionTimeoutMs: 400,
      electionTimeoutJitterMs: 200,
      bootstrapDelayMs: 600,
      ...init.options,
      quorum: init.mode === 'dynamic' ? 'dynamic' : { voters: ids, witnesses },
    });
    this.network = init.createNetwork?.(this) ?? new SimNetwork(this);
    this.checker = new Checker(this);
  }

  int(below: number): number {
    return Math.floor(this.rng.float() * below);
  }

  chance(probability: number): boolean {
    return this.rng.float() < probability;
  }

  /** One of them, each as likely as its weight. */
  weighted<T extends { readonly weight: number }>(items: readonly T[]): T {
    let left = this.rng.float() * items.reduce((sum, { weight }) => sum + weight, 0);
    for (const item of items) {
      left -= item.weight;
      if (left < 0) return item;
    }
    return items.at(-1) as T;
  }

  get leaders(): SimNode[] {
    return this.nodes.filter((node) => node.alive && node.core.state.role === 'leader');
  }

  isWitness(node: SimNode): boolean {
    return this.init.witness === true && node === this.nodes.at(-1);
  }

  describe(): string {
    return this.nodes.map(describeNode).join('\n');
  }

  // ---- life

  start(node: SimNode): void {
    if (node.alive) return;
    const stored = node.store.reopen();
    const config: CoreConfig = {
      localId: node.id,
      consensus: this.config,
      observer: this.init.observers?.includes(node.index) ?? false,
      witness: this.isWitness(node),
      reluctance: this.isWitness(node) ? 2 : 1,
      durableAtOnce: (this.init.maxSyncMs ?? 0) === 0,
      limits: {
        ...DEFAULT_LIMITS,
        maxAppendEntries: 8,
        maxInflightAppends: 4,
        syncGapEntries: 20,
        syncRangeEntries: 4,
        syncChunkBytes: 64,
        syncRetainBytes: 4000,
        retainBytes: 1000,
        revertHorizonBytes: 2000,
        witnessPruneBytes: 1000,
      },
    };
    const { drift = 0, maxSkewMs = 0 } = this.init;
    node.clockRate = 1 + drift * (2 * this.rng.float() - 1);
    node.clockOffsetMs = -this.nowMs * (node.clockRate - 1);
    node.wallSkewMs = maxSkewMs * (2 * this.rng.float() - 1);
    node.core = new RaftCore({ config, rng: this.rng, stored, nowMs: this.localMs(node) });
    beginLife(node);
    if (stored?.snapshot) restoreSnapshot(node, stored.snapshot);
    this.init.sabotage?.(node.core, node);
    node.bootIncarnation = node.core.state.incarnation;
    this.checker.handleStart(node);
    this.touch(node);
    this.network.handleStart(node);
  }

  crash(node: SimNode, keepStore: boolean): void {
    if (!node.alive) return;
    node.alive = false;
    for (const call of [...node.calls.values(), ...node.waiting]) call.state = 'unknown';
    if (!keepStore) {
      this.checker.handleForgotten(node);
      node.store = new SimStore();
    } else node.store.crash((count) => this.int(count));
    this.network.handleCrash(node);
  }

  /** Graceful leave: hands over, then its bonds depart. */
  leave(node: SimNode, keepStore: boolean): void {
    if (!node.alive) return;
    const { life } = node;
    this.input(node, { type: 'depart' });
    const depart = () => {
      if (!node.alive || node.life !== life) return;
      this.network.handleLeave(node);
      this.crash(node, keepStore);
    };
    const poll = (left: number) => {
      if (node.handedOver || left === 0) depart();
      else this.after(20, () => poll(left - 1));
    };
    poll(30);
  }

  // ---- bonds

  cut(a: SimNode, b: SimNode): void {
    this.network.cut(a, b);
  }

  heal(a: SimNode, b: SimNode): void {
    this.network.heal(a, b);
  }

  healAll(): void {
    for (const a of this.nodes) for (const b of this.nodes) if (a.index < b.index) this.heal(a, b);
  }

  cutOneWay(from: SimNode, to: SimNode): void {
    this.network.cutOneWay(from, to);
  }

  stall(a: SimNode, b: SimNode, forMs: number): void {
    this.network.stall(a, b, forMs);
  }

  hold(from: SimNode, to: SimNode, forMs: number): void {
    this.network.hold(from, to, forMs);
  }

  reset(a: SimNode, b: SimNode): void {
    this.network.reset(a, b);
  }

  bonded(a: SimNode, b: SimNode): boolean {
    return this.network.bonded(a, b);
  }

  // ---- load

  propose(node: SimNode, values: readonly string[]): void {
    if (!node.alive) return;
    const first = node.nextCall;
    for (const value of values) {
      const call: Call = { value, from: 0, nonce: 0n, state: 'sent' };
      node.calls.set(node.nextCall++, call);
      this.checker.handleSent(call);
    }
    const proposals = values.map((value) => [ENCODER.encode(value)]);
    this.input(node, {
      type: 'propose',
      batch: { session: NO_SESSION, first, ackedBelow: 0, keys: [], proposals },
    });
  }

  /** A linearizable read: it must see whatever was acknowledged before. */
  read(node: SimNode, key = ''): void {
    if (!node.alive) return;
    const id = node.nextCall++;
    const read = { floor: this.checker.ackedFloor, key };
    node.reads.set(id, read);
    this.checker.handleAsked(read);
    this.input(node, { type: 'read', first: id, count: 1 });
  }

  /** Whatever becomes of it. */
  request(node: SimNode, what: RaftRequest): void {
    if (node.alive) this.input(node, { type: 'request', request: node.nextCall++, what });
  }

  // ---- steps

  /** The time as its process sees it. */
  localMs(node: SimNode): number {
    return this.nowMs * node.clockRate + node.clockOffsetMs;
  }

  /** Now, or once the process no longer stands still; never in another life. */
  whenRunning(node: SimNode, run: () => void): void {
    if (this.#runs(node)) {
      run();
      return;
    }
    node.inbox.push(run);
    if (node.inbox.length === 1) this.#wake(node);
  }

  #runs(node: SimNode): boolean {
    return this.nowMs >= node.pausedUntilMs && node.inbox.length === 0;
  }

  /** Once it runs again it looks at everything that came; it may have been stopped for longer meanwhile. */
  #wake(node: SimNode): void {
    const { life } = node;
    this.after(Math.max(0, node.pausedUntilMs - this.nowMs), () => {
      if (node.life !== life) return;
      if (this.nowMs < node.pausedUntilMs) this.#wake(node);
      else for (const run of node.inbox.splice(0)) run();
    });
  }

  input(node: SimNode, input: Input): void {
    if (!node.alive) return;
    if (!this.#runs(node)) {
      this.whenRunning(node, () => this.input(node, input));
      return;
    }
    this.checker.handleInput(node, input);
    node.core.handle(input, this.localMs(node));
    this.checker.handleStep(node);
    this.touch(node);
  }

  /** Sooner or later the turn ends; several inputs may fall into one. */
  touch(node: SimNode): void {
    if (node.drainAtMs !== undefined) return;
    const delayMs = this.chance(0.7) ? 0 : this.rng.float();
    const { life } = node;
    node.drainAtMs = this.nowMs + delayMs;
    const drain = () => {
      if (!node.alive || node.life !== life) return;
      if (!this.#runs(node)) {
        this.whenRunning(node, drain);
        return;
      }
      node.drainAtMs = undefined;
      this.#drain(node);
    };
    this.after(delayMs, drain);
  }

  #drain(node: SimNode): void {
    for (let continued = false; ; continued = true) {
      let effects = node.core.drain(this.localMs(node), continued);
      if (effects.length === 0) break;
      if (this.init.mangle) effects = this.init.mangle(effects, node);
      for (const effect of effects) {
        executeEffect(this, node, effect);
        if (!node.alive) return;
      }
      this.checker.handleStep(node);
    }
    this.checker.handleTurn(node);
    const dueMs = node.core.nextDeadlineMs();
    if (dueMs !== undefined && dueMs < node.tickAtMs) this.#scheduleTick(node, dueMs);
  }

  #scheduleTick(node: SimNode, dueMs: number): void {
    node.tickAtMs = dueMs;
    const { life } = node;
    this.after(Math.max(0, dueMs - this.localMs(node)) / node.clockRate, () => {
      if (!node.alive || node.life !== life || node.tickAtMs !== dueMs) return;
      node.tickAtMs = Number.POSITIVE_INFINITY;
      this.input(node, { type: 'tick' });
    });
  }
}
