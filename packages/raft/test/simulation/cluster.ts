import { type ConsensusOptions, consensus } from '@mosaik/raft';
import { type PeerId, RaftMessage } from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import { seededRng } from '@mosaik/wire/testing';
import type { Lane } from '../../src/components.ts';
import { type CoreConfig, DEFAULT_LIMITS } from '../../src/core/config.ts';
import type { Effect } from '../../src/core/effect.ts';
import type { Input } from '../../src/core/input.ts';
import { isCommand } from '../../src/core/log.ts';
import { RaftCore } from '../../src/core/raft-core.ts';
import { Checker } from './checker.ts';
import { SimStore } from './store.ts';

export interface ClusterInit {
  readonly seed: number | bigint;
  readonly size: number;
  readonly mode: 'dynamic' | 'voters';
  readonly options?: ConsensusOptions | undefined;
  readonly observers?: readonly number[] | undefined;
  /** Largest delay of a message and of a durable write, ms. */
  readonly maxDelayMs?: number | undefined;
  readonly maxSyncMs?: number | undefined;
  /** Changes what a core does, to show that the checker notices. */
  readonly sabotage?: ((core: RaftCore, node: SimNode) => void) | undefined;
  readonly mangle?: ((effects: readonly Effect[], node: SimNode) => readonly Effect[]) | undefined;
}

export interface SimNode {
  readonly index: number;
  readonly id: PeerId;
  store: SimStore;
  core: RaftCore;
  alive: boolean;
  /** As its store was when it was opened: what handshakes say, whatever became of it since. */
  bootIncarnation: bigint;
  /** Rises with every start, so that what belonged to an earlier life is dropped. */
  life: number;
  applied: number;
  /** Of everything that was applied, in order. */
  hash: string;
  commands: number;
  drainAtMs: number | undefined;
  tickAtMs: number;
  nextCall: number;
  readonly calls: Map<number, Call>;
  readonly waiting: Call[];
  readonly reads: Map<number, { floor: number }>;
  handedOver: boolean;
}

export interface Call {
  readonly value: string;
  from: number;
  nonce: bigint;
  state: 'sent' | 'accepted' | 'done' | 'failed' | 'unknown';
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

interface Link {
  up: boolean;
  generation: number;
  /** Messages are held, not lost, until it is let go or the bond ends. */
  held: boolean;
  queue: (() => void)[];
  lastAt: Map<string, number>;
}

/** Several cores, a network of bonds between them, and a checker that looks at every step. */
export class Cluster {
  readonly rng: Rng;
  readonly nodes: SimNode[] = [];
  readonly checker: Checker;
  readonly init: ClusterInit;
  nowMs = 0;
  acked = 0;
  readonly #links = new Map<string, Link>();
  readonly #cut = new Set<string>();
  readonly #heap: Event[] = [];
  #order = 0;
  readonly #config: ReturnType<typeof consensus>;

  constructor(init: ClusterInit) {
    this.init = init;
    this.rng = seededRng(init.seed);
    const ids = Array.from({ length: init.size }, (_, i) => peerId(i));
    this.#config = consensus({
      heartbeatIntervalMs: 100,
      heartbeatJitterMs: 30,
      electionTimeoutMs: 400,
      electionTimeoutJitterMs: 200,
      bootstrapDelayMs: 600,
      ...init.options,
      quorum: init.mode === 'dynamic' ? 'dynamic' : { voters: ids },
    });
    this.checker = new Checker(this);
    for (const [index, id] of ids.entries()) {
      const store = new SimStore();
      this.nodes.push({
        index,
        id,
        store,
        core: undefined as never,
        alive: false,
        bootIncarnation: 0n,
        life: 0,
        applied: 0,
        hash: '',
        commands: 0,
        drainAtMs: undefined,
        tickAtMs: Number.POSITIVE_INFINITY,
        nextCall: 1,
        calls: new Map(),
        waiting: [],
        reads: new Map(),
        handedOver: false,
      });
    }
  }

  get config(): ReturnType<typeof consensus> {
    return this.#config;
  }

  int(below: number): number {
    return Math.floor(this.rng.float() * below);
  }

  chance(probability: number): boolean {
    return this.rng.float() < probability;
  }

  // ---- life

  start(node: SimNode): void {
    if (node.alive) return;
    const stored = node.store.reopen();
    const observer = this.init.observers?.includes(node.index) ?? false;
    const config: CoreConfig = {
      localId: node.id,
      consensus: this.#config,
      observer,
      reluctance: 1,
      limits: { ...DEFAULT_LIMITS, maxAppendEntries: 8, maxInflightAppends: 4 },
    };
    node.core = new RaftCore({ config, rng: this.rng, stored, nowMs: this.nowMs });
    node.alive = true;
    node.life += 1;
    node.applied = 0;
    node.hash = '';
    node.commands = 0;
    node.waiting.length = 0;
    node.calls.clear();
    node.reads.clear();
    node.handedOver = false;
    node.tickAtMs = Number.POSITIVE_INFINITY;
    node.drainAtMs = undefined;
    this.init.sabotage?.(node.core, node);
    node.bootIncarnation = node.core.state.incarnation;
    this.checker.handleStart(node);
    this.#touch(node);
    for (const peer of this.nodes) if (peer !== node) this.#dial(node, peer);
  }

  crash(node: SimNode, keepStore: boolean): void {
    if (!node.alive) return;
    node.alive = false;
    for (const call of [...node.calls.values(), ...node.waiting]) call.state = 'unknown';
    if (!keepStore) {
      this.checker.handleForgotten(node);
      node.store = new SimStore();
    }
    for (const peer of this.nodes) {
      if (peer === node) continue;
      const link = this.#link(node, peer);
      if (!link.up) continue;
      // Noticed at once (the connection was reset) or by missed heartbeats.
      const detectMs = this.chance(0.5) ? this.int(20) : 1000 + this.int(300);
      const { generation } = link;
      this.#dropMessages(link);
      this.after(detectMs, () => {
        if (link.up && link.generation === generation) this.#bondDown(node, peer, false);
      });
    }
  }

  /** Graceful leave: hands over, then its bonds depart. */
  leave(node: SimNode, keepStore: boolean): void {
    if (!node.alive) return;
    const { life } = node;
    this.input(node, { type: 'depart' });
    const depart = () => {
      if (!node.alive || node.life !== life) return;
      for (const peer of this.nodes) {
        if (peer !== node && this.#link(node, peer).up) this.#bondDown(node, peer, true);
      }
      this.crash(node, keepStore);
    };
    const poll = (left: number) => {
      if (node.handedOver || left === 0) depart();
      else this.after(20, () => poll(left - 1));
    };
    poll(30);
  }

  /** Cuts the pair: what is under way is lost, and both ends notice, not at the same time. */
  cut(a: SimNode, b: SimNode): void {
    this.#cut.add(pair(a, b));
    const link = this.#link(a, b);
    if (!link.up) return;
    this.#dropMessages(link);
    this.#bondDown(a, b, false);
  }

  /** Nothing passes for a while; the bond survives, or not. */
  stall(a: SimNode, b: SimNode, forMs: number): void {
    const link = this.#link(a, b);
    if (!link.up || link.held) return;
    link.held = true;
    const { generation } = link;
    this.after(forMs, () => {
      link.held = false;
      const queue = link.queue.splice(0);
      if (link.generation === generation) for (const run of queue) run();
    });
  }

  heal(a: SimNode, b: SimNode): void {
    if (this.#cut.delete(pair(a, b))) this.#dial(a, b);
  }

  healAll(): void {
    for (const a of this.nodes) for (const b of this.nodes) if (a.index < b.index) this.heal(a, b);
  }

  /** The connection breaks and is dialled again soon. */
  reset(a: SimNode, b: SimNode): void {
    const link = this.#link(a, b);
    if (!link.up) return;
    this.#dropMessages(link);
    this.#bondDown(a, b, false);
    this.#dial(a, b);
  }

  bonded(a: SimNode, b: SimNode): boolean {
    return this.#link(a, b).up;
  }

  // ---- load

  propose(node: SimNode, values: readonly string[]): void {
    if (!node.alive) return;
    const first = node.nextCall;
    for (const value of values) {
      node.calls.set(node.nextCall++, { value, from: 0, nonce: 0n, state: 'sent' });
    }
    const proposals = values.map((value) => [new TextEncoder().encode(value)]);
    this.input(node, { type: 'propose', first, proposals });
  }

  /** A linearizable read: it must see whatever was acknowledged before. */
  read(node: SimNode): void {
    if (!node.alive) return;
    const id = node.nextCall++;
    node.reads.set(id, { floor: this.checker.ackedFloor });
    this.input(node, { type: 'read', first: id, count: 1 });
  }

  // ---- time

  after(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, order: this.#order++, run };
    const heap = this.#heap;
    heap.push(event);
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i] as Event, heap[parent] as Event)) break;
      [heap[i], heap[parent]] = [heap[parent] as Event, heap[i] as Event];
      i = parent;
    }
  }

  runFor(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  /** Whether `condition` came to hold within `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number): boolean {
    const untilMs = this.nowMs + limitMs;
    for (;;) {
      if (condition()) return true;
      const next = this.#heap[0];
      if (!next || next.atMs > untilMs) break;
      this.#pop();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = untilMs;
    return condition();
  }

  input(node: SimNode, input: Input): void {
    if (!node.alive) return;
    node.core.handle(input, this.nowMs);
    this.checker.handleStep(node);
    this.#touch(node);
  }

  get leaders(): SimNode[] {
    return this.nodes.filter((node) => node.alive && node.core.state.role === 'leader');
  }

  describe(): string {
    return this.nodes
      .map((node) => {
        const s = node.core?.state;
        if (!s) return `n${node.index} never started`;
        const { log } = s;
        return (
          `n${node.index}${node.alive ? '' : ' DEAD'} ${s.stopped ?? s.role} t${s.term} commit ${s.commit}/${log.last} ` +
          `leader ${nameOf(s.leader)} side ${log.side?.nonce.toString(16).slice(0, 4) ?? '-'} ` +
          `view [${log.members.map((m) => `${nameOf(m.peer)}${s.peers.get(m.peer)?.incarnation === m.incarnation || m.peer === s.localId ? '' : '!'}`).join(' ')}] ` +
          `bonds [${[...s.peers.keys()].map(nameOf).join(' ')}]${s.counted ? '' : ' joining'} ${s.problem ?? ''}`
        );
      })
      .join('\n');
  }

  // ---- inside

  /** Sooner or later the turn ends; several inputs may fall into one. */
  #touch(node: SimNode): void {
    if (node.drainAtMs !== undefined) return;
    const delayMs = this.chance(0.7) ? 0 : this.rng.float();
    const { life } = node;
    node.drainAtMs = this.nowMs + delayMs;
    this.after(delayMs, () => {
      if (!node.alive || node.life !== life) return;
      node.drainAtMs = undefined;
      this.#drain(node);
    });
  }

  #drain(node: SimNode): void {
    for (let continued = false; ; continued = true) {
      let effects = node.core.drain(this.nowMs, continued);
      if (effects.length === 0) break;
      if (this.init.mangle) effects = this.init.mangle(effects, node);
      for (const effect of effects) this.#execute(node, effect);
      this.checker.handleStep(node);
    }
    this.checker.handleTurn(node);
    const dueMs = node.core.nextDeadlineMs();
    if (dueMs !== undefined && dueMs < node.tickAtMs) this.#scheduleTick(node, dueMs);
  }

  #scheduleTick(node: SimNode, dueMs: number): void {
    node.tickAtMs = dueMs;
    const { life } = node;
    this.after(Math.max(0, dueMs - this.nowMs), () => {
      if (!node.alive || node.life !== life || node.tickAtMs !== dueMs) return;
      node.tickAtMs = Number.POSITIVE_INFINITY;
      this.input(node, { type: 'tick' });
    });
  }

  #execute(node: SimNode, effect: Effect): void {
    const { life } = node;
    switch (effect.type) {
      case 'persist': {
        const { maxSyncMs = 0 } = this.init;
        node.store.write(effect.seq, effect.write);
        this.checker.handleWrite(node, effect.write);
        const sync = () => {
          node.store.sync(effect.seq);
          this.input(node, { type: 'persisted', seq: effect.seq });
        };
        if (maxSyncMs === 0) sync();
        else this.after(this.rng.float() * maxSyncMs, () => node.alive && node.life === life && sync());
        return;
      }
      case 'send':
        this.#send(node, effect.to, effect.message, effect.lane);
        return;
      case 'apply':
        this.#apply(node, effect.to);
        return;
      case 'rewind':
        node.applied = Math.min(node.applied, effect.to);
        return;
      case 'accepted':
        this.#accepted(node, effect);
        return;
      case 'refused':
      case 'uncertain':
        for (let id = effect.first; id < effect.first + effect.count; id += 1) {
          const call = node.calls.get(id);
          if (call) call.state = effect.type === 'refused' ? 'failed' : 'unknown';
          node.calls.delete(id);
        }
        return;
      case 'read-ready':
        for (let id = effect.first; id < effect.first + effect.count; id += 1) {
          const read = node.reads.get(id);
          node.reads.delete(id);
          if (read) this.checker.handleRead(node, read.floor);
        }
        return;
      case 'read-refused':
        for (let id = effect.first; id < effect.first + effect.count; id += 1) node.reads.delete(id);
        return;
      case 'handed-over':
        node.handedOver = true;
        return;
      case 'turn-again':
        this.#touch(node);
        return;
      case 'log':
        if (process.env.SIM_LOG)
          console.log(Math.round(this.nowMs), `n${node.index}`, effect.text, JSON.stringify(effect.fields));
    }
  }

  #accepted(node: SimNode, effect: Extract<Effect, { type: 'accepted' }>): void {
    for (let i = 0; i < effect.count; i += 1) {
      const call = node.calls.get(effect.first + i);
      node.calls.delete(effect.first + i);
      if (!call) continue;
      call.from = effect.index + i;
      call.nonce = effect.epoch.nonce;
      call.state = 'accepted';
      if (call.from <= node.applied) this.#settle(node, call);
      else node.waiting.push(call);
    }
  }

  #settle(node: SimNode, call: Call): void {
    const epoch = node.core.log.epochAt(call.from);
    if (epoch?.nonce === call.nonce) {
      call.state = 'done';
      this.acked += 1;
      this.checker.handleAcked(node, call);
    } else {
      call.state = 'unknown';
    }
  }

  #apply(node: SimNode, to: number): void {
    for (let index = node.applied + 1; index <= to; index += 1) {
      const entry = node.core.log.entryAt(index);
      if (!entry) throw this.checker.fail(node, `applies ${index} beyond its log`);
      node.applied = index;
      if (isCommand(entry)) {
        node.hash = chain(node.hash, index, entry.value);
        node.commands += 1;
      }
      this.checker.handleApplied(node, index);
    }
    for (let i = node.waiting.length - 1; i >= 0; i -= 1) {
      const call = node.waiting[i] as Call;
      if (call.from > node.applied) continue;
      node.waiting.splice(i, 1);
      this.#settle(node, call);
    }
  }

  #send(from: SimNode, toId: PeerId, message: RaftMessage, lane: Lane): void {
    const to = this.nodes.find((node) => node.id === toId);
    if (!to) return;
    const link = this.#link(from, to);
    if (!link.up || !from.core.state.peers.has(toId)) {
      from.core.handle({ type: 'unsent', to: toId, lane }, this.nowMs);
      return;
    }
    this.checker.handleSend(from, to, message);
    // Some go over the wire format; all would cost most of the run.
    const carried = this.#order % 4 === 0 ? RaftMessage.decode(RaftMessage.encode(message)) : message;
    const { generation } = link;
    const { maxDelayMs = 20 } = this.init;
    const direction = `${from.index}>${to.index}:${lane}`;
    const slow = this.chance(0.02) ? 10 : 1;
    const wanted = this.nowMs + 0.05 + this.rng.float() * maxDelayMs * slow;
    // Each lane keeps its order; the two overtake each other.
    const atMs = Math.max(wanted, link.lastAt.get(direction) ?? 0);
    link.lastAt.set(direction, atMs);
    const deliver = () => {
      if (!link.up || link.generation !== generation || !to.alive) return;
      if (link.held) {
        link.queue.push(deliver);
        return;
      }
      this.input(to, { type: 'message', from: from.id, message: carried });
    };
    this.after(atMs - this.nowMs, deliver);
  }

  #dial(a: SimNode, b: SimNode): void {
    const lives = [a.life, b.life];
    const attempt = () => {
      const link = this.#link(a, b);
      if (!a.alive || !b.alive || a.life !== lives[0] || b.life !== lives[1]) return;
      if (this.#cut.has(pair(a, b)) || (link.up && this.#knows(a, b) && this.#knows(b, a))) return;
      if (link.up) this.#bondDown(a, b, false);
      link.up = true;
      link.generation += 1;
      link.held = false;
      link.queue.length = 0;
      link.lastAt.clear();
      this.input(a, { type: 'bond-up', peer: b.id, incarnation: b.bootIncarnation });
      this.input(b, { type: 'bond-up', peer: a.id, incarnation: a.bootIncarnation });
    };
    this.after(this.rng.float() * (this.chance(0.2) ? 1500 : 80), attempt);
  }

  #knows(a: SimNode, b: SimNode): boolean {
    return a.core.state.peers.has(b.id);
  }

  #bondDown(a: SimNode, b: SimNode, departed: boolean): void {
    const link = this.#link(a, b);
    if (!link.up) return;
    link.up = false;
    link.generation += 1;
    // Each end learns in its own time; a new bond makes the old one's end known first.
    this.input(b, { type: 'bond-down', peer: a.id, departed });
    this.input(a, { type: 'bond-down', peer: b.id, departed: false });
  }

  #dropMessages(link: Link): void {
    link.queue.length = 0;
    link.held = true;
    const { generation } = link;
    this.after(0, () => {
      if (link.generation === generation) return;
      link.held = false;
    });
  }

  #link(a: SimNode, b: SimNode): Link {
    const key = pair(a, b);
    let link = this.#links.get(key);
    if (!link) {
      link = { up: false, generation: 0, held: false, queue: [], lastAt: new Map() };
      this.#links.set(key, link);
    }
    return link;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && before(heap[child] as Event, heap[least] as Event)) least = child;
      }
      if (least === i) break;
      [heap[i], heap[least]] = [heap[least] as Event, heap[i] as Event];
      i = least;
    }
  }
}

export function peerId(index: number): PeerId {
  return index.toString(16).padStart(2, '0').repeat(32) as PeerId;
}

export function nameOf(peer: PeerId | undefined): string {
  return peer === undefined ? '-' : `n${Number.parseInt(peer.slice(0, 2), 16)}`;
}

function pair(a: SimNode, b: SimNode): string {
  return a.index < b.index ? `${a.index}-${b.index}` : `${b.index}-${a.index}`;
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A cheap rolling hash: equal exactly when the same commands stood at the same places, but for bad luck. */
function chain(hash: string, index: number, value: Uint8Array): string {
  let h = 0x811c9dc5;
  const mix = (byte: number) => {
    h = Math.imul(h ^ byte, 0x01000193);
  };
  for (let i = 0; i < hash.length; i += 1) mix(hash.charCodeAt(i));
  mix(index & 0xff);
  mix(index >>> 8);
  for (const byte of value) mix(byte);
  return (h >>> 0).toString(16);
}
